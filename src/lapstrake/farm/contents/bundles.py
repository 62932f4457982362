"""Uploaded archives of bundles and projects: hostile until shown to be harmless.

An archive is unpacked into a private folder, within bounds, and read; what is kept of it is the
folder packed anew (`lapstrake.farm.contents.pack`), so that equal folders have equal digests,
whatever they were uploaded as.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.bundle.aosc_arch import NotForArch
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.find import BundleLocation
from lapstrake.bundle.read import read
from lapstrake.bundle.tree import format_of
from lapstrake.config.model import host_arch
from lapstrake.errors import BundleError, LapstrakeError, StoreError, UnpackError
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.contents.pack import LEFT_OUT, pack_bundle
from lapstrake.farm.problems import Invalid, NoRoom
from lapstrake.farm.values.tasks import TaskKind
from lapstrake.formats.shell_text import NeedsShell
from lapstrake.host.files import remove_tree, temporary_name
from lapstrake.names import Arch
from lapstrake.source.unpack import UnpackBounds, unpack

_MOST_ENTRIES = 500_000
_FORMATS = (
    "Upload an archive (tar or zip) of the bundle's folder, with lapstrake.toml, spec or "
    "debian/control in it, or of a .dsc and its files."
)
_PROJECTS = "Upload an archive of the project's folder, with lapstrake.toml in it."


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedBundle:
    """An uploaded bundle or project that was found to be one.

    Attributes:
        digest: of the folder packed anew; the content store has it.
        name: what it calls itself, else its folder's name.
        version: what it says; empty when only a root can tell.
        format: of a bundle; ``None`` for projects.
    """

    digest: str
    name: str
    version: str = ""
    format: BundleFormat | None = None


def check_bundle(
    contents: Contents,
    digest: str,
    *,
    limit: int,
    kind: TaskKind = TaskKind.BUNDLE,
    arch: str = "",
    name: str = "",
) -> CheckedBundle:
    """Check an archive that is in the store, and keep what is in it.

    Args:
        contents: the store.
        digest: the archive's.
        limit: bytes that it may become.
        kind: whether a bundle or a project is expected.
        arch: the machine that it is to be built on; this one's when empty.
        name: what to call it where it does not say so itself.

    Raises:
        Unknown: there is no such content.
        Invalid: it is no archive, hostile, or there is no bundle in it; the detail says which.
        NoRoom: the disk is full.
    """
    with opened(contents, digest, limit=limit, name=name) as folder:
        if kind is TaskKind.ARTIFACT:
            found = CheckedBundle(digest="", name=_read_project(folder) or name or folder.name)
        else:
            found = _describe(find_bundle(folder), arch)
        packed = temporary_name(contents.scratch / "packed")
        try:
            pack_bundle(folder, packed)
            return replace(found, digest=contents.add_file(packed))
        except BundleError as odd:
            raise _invalid(odd, _FORMATS) from odd
        except (StoreError, OSError) as full:
            raise _full() from full
        finally:
            packed.unlink(missing_ok=True)


@contextmanager
def opened(contents: Contents, digest: str, *, limit: int, name: str = "") -> Iterator[Path]:
    """Unpack an archive of the store for a while; gives the folder of what is in it.

    Raises: as `check_bundle`.
    """
    archive = contents.path(digest)
    private = temporary_name(contents.scratch / "bundle")
    try:
        yield unpack_bundle(archive, private / (_plain(name) or "bundle"), limit=limit)
    except UnpackError as hostile:
        raise Invalid(hostile.brief, resolution=_FORMATS) from hostile
    except StoreError as full:
        raise _full() from full
    finally:
        remove_tree(private)


def unpack_bundle(archive: Path, target: Path, *, limit: int) -> Path:
    """Unpack an archive of a bundle or project.

    Args:
        archive: tar, zip and so on, compressed or not.
        target: the folder, made when missing; nobody else writes to it. Its name is the bundle's
            when the archive does not have everything in one folder.
        limit: bytes that it may become.

    Returns:
        the bundle's folder: the archive's only one, or `target`.

    Raises:
        UnpackError: it is damaged, hostile, too large, or no archive; nothing is unpacked then.
        StoreError: the disk is full.
    """
    bounds = UnpackBounds(size=limit, entries=_MOST_ENTRIES, ratio_from=min(limit, 256 << 20))
    unpack(archive, target, bounds=bounds, name="the upload")
    entries = [entry for entry in os.scandir(target) if entry.name not in LEFT_OUT]
    if len(entries) == 1 and entries[0].is_dir(follow_symlinks=False) and not _is_bundle(target):
        return Path(entries[0].path)
    return target


def find_bundle(folder: Path) -> BundleLocation:
    """Find the bundle that a folder is, or whose ``.dsc`` is in it.

    Raises:
        Invalid: there is none, or several.
    """
    described = sorted(folder.glob("*.dsc"))
    if len(described) == 1 and described[0].is_file() and not described[0].is_symlink():
        return BundleLocation(format=BundleFormat.DEBIAN, path=described[0])
    found = format_of(folder)
    if found is not None:
        return BundleLocation(format=found, path=folder)
    names = ", ".join(sorted(entry.name[:60] for entry in folder.iterdir())[:10]) or "nothing"
    several = f"{len(described)} .dsc files and " if len(described) > 1 else ""
    raise Invalid(f"there is no bundle in the upload, but {several}{names}", resolution=_FORMATS)


def read_bundle(location: BundleLocation, arch: str = "") -> Bundle | None:
    """Read a bundle; ``None`` when it can only be read in a root, or is not for the machine.

    Args:
        location: where it is.
        arch: the machine that builds it; this one when empty, or unknown.

    Raises:
        Invalid: it is wrong; the detail names file and line.
    """
    try:
        return read(location, arch=Arch(arch) if arch in set(Arch) else host_arch())
    except (NeedsShell, NotForArch):
        return None
    except BundleError as wrong:
        folder = location.path if location.path.is_dir() else location.path.parent
        raise _invalid(wrong, "Correct the bundle.", hidden=folder) from wrong


def _describe(location: BundleLocation, arch: str) -> CheckedBundle:
    bundle = read_bundle(location, arch)
    return CheckedBundle(
        digest="",
        name=bundle.name if bundle else location.path.name,
        version=bundle.version if bundle else "",
        format=location.format,
    )


def _read_project(folder: Path) -> str:
    """A project's name; empty when it has none."""
    from lapstrake.artifact.manifest.read import read_manifest

    try:
        manifest = read_manifest(folder, inside=folder)
    except LapstrakeError as wrong:
        raise _invalid(wrong, _PROJECTS, hidden=folder) from wrong
    return manifest.package.name if manifest.package else ""


def _is_bundle(folder: Path) -> bool:
    """Whether a folder is a bundle itself, of which a single folder (``debian``) may be all."""
    return format_of(folder) is not None


def _plain(name: str) -> str:
    """A name as a folder can have it; empty when it cannot."""
    last = name.rpartition("/")[2]
    return last if last not in ("", ".", "..") and "\0" not in last and len(last) < 200 else ""


def _invalid(wrong: LapstrakeError, resolution: str, hidden: Path | None = None) -> Invalid:
    """An error of reading as a problem; where the server keeps things is nobody's business."""
    brief, details = wrong.brief, wrong.details
    if hidden is not None:
        brief, details = _without(hidden, brief), _without(hidden, details)
    return Invalid(
        brief,
        resolution=wrong.resolution or resolution,
        fields={"details": details} if details else {},
    )


def _without(folder: Path, text: str) -> str:
    return text.replace(f"{folder}/", "").replace(str(folder), folder.name)


def _full() -> NoRoom:
    return NoRoom(
        "the server's disk has no room for what is in the upload",
        resolution="Make room on the server (lapstrake store gc), then upload it again.",
    )
