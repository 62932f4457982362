"""Unpack archives that nobody vouches for: by content, within bounds, all or nothing.

The entries go into a private folder first; only when the whole archive was read, its checksums
held and every link stays inside does the folder's content appear where it was wanted.
"""

from __future__ import annotations

import errno
import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import BundleError, StoreError, UnpackError
from lapstrake.formats.archive_entry import ArchiveDamaged
from lapstrake.host.files import remove_tree, temporary_name
from lapstrake.source.archive_tree import RefusedEntry
from lapstrake.source.opening import entries_of
from lapstrake.source.writer import TreeWriter

OUT_OF_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""What the kernel says when no more can be written."""

_DAMAGED = (
    ArchiveDamaged, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError,
    ValueError, OverflowError, RecursionError, IndexError, KeyError, RuntimeError,
)  # fmt: skip
"""What the readers raise on damaged or forged archives; they were written for honest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpackBounds:
    """How much an archive may become.

    Attributes:
        size: bytes of content, all files together.
        entries: how many entries.
        ratio: how many times its own size the content may have; judged beyond `ratio_from`.
        ratio_from: bytes of content that are never too many for a small archive.
        outside_links: let symbolic links lead outside, as checkouts may have them.
    """

    size: int = 64 << 30
    entries: int = 2_000_000
    ratio: int = 500
    ratio_from: int = 256 << 20
    outside_links: bool = False

    def content_limit(self, archive_size: int) -> int:
        """Bytes that the content of an archive of this size may have."""
        return min(self.size, max(self.ratio_from, self.ratio * archive_size))


def unpack(
    archive: Path, target: Path, *, bounds: UnpackBounds | None = None, name: str = ""
) -> None:
    """Unpack an archive, whatever its kind, into a folder.

    Set-id bits are stripped, files get mode 0644 or 0755, folders 0755, owners are ours, times are
    the archive's. What `target` already has stays; an equal name is replaced by the archive's file.

    Args:
        archive: tar, cpio, zip, 7z or ar (deb), compressed or not, or one compressed file.
        target: the folder, made when missing.
        bounds: how much it may become.
        name: what to call the archive in messages, and, without its suffix, a single file in it.

    Raises:
        UnpackError: damaged, hostile, encrypted, too large or of an unknown kind; nothing of it is
            in `target` then.
        StoreError: the disk is full; the same.
    """
    bounds = bounds or UnpackBounds()
    name = name or archive.name
    target.mkdir(parents=True, exist_ok=True)
    # Beside the content, not beside the folder: so both are surely on one file system.
    private = temporary_name(target / "unpacked")
    try:
        private.mkdir(mode=0o700)
        _write_all(archive, private, bounds, name)
        _merge(private, target, name)
    except OSError as refused:
        if refused.errno in OUT_OF_DISK:
            raise StoreError(
                f"the disk is full: unpacking {name} into {target}",
                resolution="Free some space, or set work_dir to a larger disk.",
            ) from refused
        raise UnpackError(f"{name}: {refused.strerror or refused}") from refused
    finally:
        remove_tree(private)


def _write_all(archive: Path, private: Path, bounds: UnpackBounds, name: str) -> None:
    """Write every entry into the private folder, naming the entry in every complaint."""
    content = private / "content"
    content.mkdir()
    limit = bounds.content_limit(archive.stat().st_size)
    writer = TreeWriter(content, limit=limit, inside_only=not bounds.outside_links)
    entries = entries_of(archive, scratch=private / "scratch", limit=limit, name=name)
    last = ""
    try:
        for count, entry in enumerate(entries, start=1):
            last = entry.name
            if count > bounds.entries:
                raise RefusedEntry(f"the archive has more than {bounds.entries} entries")
            writer.write(entry)
        last = ""
        writer.finish()
    except RefusedEntry as refused:
        where = f"entry {last!r}: " if last else ""
        raise UnpackError(
            f"{name}: {where}{refused}",
            resolution="Nothing was unpacked. Tell the source's authors, or do not trust it.",
        ) from refused
    except (*_DAMAGED, OSError) as damaged:
        # gzip and bz2 report bad data as an OSError, which then has no number.
        if isinstance(damaged, OSError) and damaged.errno is not None:
            raise
        where = f" (entry {last!r})" if last else ""
        raise UnpackError(f"{name} is damaged or cut short{where}", details=str(damaged)) from None


def _merge(private: Path, target: Path, name: str) -> None:
    """Move what was unpacked to where it belongs; folders of one name become one folder."""
    waiting = [(private / "content", target)]
    while waiting:
        source, into = waiting.pop()
        for entry in os.scandir(source):
            there = into / entry.name
            taken = there.lstat().st_mode if os.path.lexists(there) else None
            ours_is_folder = entry.is_dir(follow_symlinks=False)
            if taken is not None and stat.S_ISDIR(taken) != ours_is_folder:
                raise UnpackError(
                    f"{name}: entry {entry.name!r} is a folder here and a file in another source",
                    resolution="Give one of the sources a folder of its own.",
                )
            if taken is not None and ours_is_folder:
                waiting.append((Path(entry.path), there))
            else:
                Path(entry.path).replace(there)


def choose_subdir(target: Path, wanted: str = "", *, origin: str = "SUBDIR") -> Path:
    """Find the folder of the unpacked sources to build in.

    Args:
        target: where everything was unpacked.
        wanted: the bundle's own word, relative to `target`; empty means: the only folder there is,
            or `target` itself when there is none.
        origin: what says so, for messages.

    Raises:
        BundleError: the folder is missing, outside, or there are several and none was named.
    """
    if wanted:
        chosen = (target / wanted).resolve()
        if not chosen.is_relative_to(target.resolve()):
            raise BundleError(f"{origin}: {wanted!r} is outside the unpacked sources")
        if not chosen.is_dir():
            raise BundleError(
                f"{origin}: the unpacked sources have no folder {wanted!r}",
                details=_listing(target),
            )
        return target / chosen.relative_to(target.resolve())
    folders = _folders(target)
    if len(folders) > 1:
        raise BundleError(
            f"{origin} is not set, and the sources unpack to {len(folders)} folders",
            details=_listing(target),
            resolution=f"Set {origin} to one of them, or to '.' for the folder that holds them.",
        )
    return folders[0] if folders else target


def _folders(target: Path) -> list[Path]:
    return sorted(
        path
        for path in target.iterdir()
        if not path.name.startswith(".") and path.is_dir() and not path.is_symlink()
    )


def _listing(target: Path) -> str:
    names = [f"{path.name}/" for path in _folders(target)]
    return "Folders: " + (", ".join(names[:20]) or "none") + (" ..." if len(names) > 20 else "")
