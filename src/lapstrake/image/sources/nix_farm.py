"""The folder of links that makes store paths a root: ``/bin``, ``/lib``, ``/share`` ...

Made here and not by a package: a package set needs no tools of its own for it, and an image for
another machine needs nothing that runs there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lapstrake.errors import ImageError
from lapstrake.host.files import DISK_FULL, disk_error
from lapstrake.names import GuestPath

FARM_VERSION = 1
"""Raised when the same packages get another farm."""

_TIMES = (1_000_000_000, 1_000_000_000)  # what nix gives all files of a store
_MOST_LINKS = 40
OnHost = Callable[[GuestPath], Path]
"""Where a path of the image's world is on the host."""


def make_farm(folder: Path, packages: Sequence[GuestPath], on_host: OnHost) -> None:
    """Fill a folder with links to everything in some packages, folders of one name merged.

    Of several files with one name, that of the package named first is taken. ``/tmp`` is made, and
    ``/usr/bin/env``, which scripts begin with everywhere.

    Args:
        folder: made.
        packages: store paths; those that are single files add nothing.
        on_host: where they are.

    Raises:
        StoreError: the disk is full.
        ImageError: a package has folders nested beyond what the system has names for.
    """
    tops = [package for package in packages if _kind(on_host(package)) == stat.S_IFDIR]
    try:
        folder.mkdir()
        made, pending = [folder], [(folder, tops)]
        while pending:
            target, sources = pending.pop()
            below = _merge(target, sources, on_host)
            made += [each for each, _ in below]
            pending += below
        made += _add_customs(folder)
        for each in reversed(made):
            each.chmod(0o1777 if each == folder / "tmp" else 0o755)
            os.utime(each, ns=_TIMES)
    except OSError as failure:
        if failure.errno in DISK_FULL:
            raise disk_error(failure, doing="making the links of a Nix image") from failure
        raise ImageError(f"nix: the links of the image cannot be made: {failure}") from failure


def _merge(
    target: Path, sources: Sequence[GuestPath], on_host: OnHost
) -> list[tuple[Path, list[GuestPath]]]:
    """Link what is in some folders; gives the folders in them that are to be merged in turn."""
    found: dict[str, list[GuestPath]] = {}
    for source in sources:
        for entry in on_host(source).iterdir():
            found.setdefault(entry.name, []).append(source / entry.name)
    below = []
    for name, paths in found.items():
        first = _kind(on_host(paths[0]))
        folders = _folders(paths, on_host) if first == stat.S_IFDIR or len(paths) > 1 else []
        if folders and folders[0][0] == paths[0]:
            (target / name).mkdir()
            below.append((target / name, [real for _, real in folders]))
        else:
            _link(target / name, paths[0])
    return below


def _link(path: Path, target: GuestPath) -> None:
    path.symlink_to(target)
    os.utime(path, ns=_TIMES, follow_symlinks=False)


def _folders(paths: Iterable[GuestPath], on_host: OnHost) -> list[tuple[GuestPath, GuestPath]]:
    """Of some paths those that are folders, or links to such, and where these really are."""
    reals = ((path, _resolve(path, on_host)) for path in paths)
    return [(path, real) for path, real in reals if real is not None]


def _resolve(path: GuestPath, on_host: OnHost) -> GuestPath | None:
    """Follow links as they lead in the image's world; ``None`` unless the end is a folder there."""
    rest, here, links = list(reversed(path.parts[1:])), GuestPath("/"), 0
    while rest:
        part = rest.pop()
        if part == "..":
            here = here.parent
            continue
        kind = _kind(on_host(here / part))
        if kind is None:
            return None
        if kind != stat.S_IFLNK:
            here /= part
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        aim = GuestPath(on_host(here / part).readlink())
        if aim.is_absolute():
            here = GuestPath("/")
        rest += reversed([each for each in aim.parts if each != "/"])
    return here if _kind(on_host(here)) == stat.S_IFDIR else None


def _kind(path: Path) -> int | None:
    try:
        return stat.S_IFMT(path.lstat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _add_customs(folder: Path) -> list[Path]:
    """``/tmp`` and ``/usr/bin/env``, unless packages brought something of the name.

    Returns:
        the folders that were made.
    """
    made = []
    for each in (folder / "tmp", folder / "usr", folder / "usr/bin"):
        if _kind(each) is None and _kind(each.parent) == stat.S_IFDIR:
            each.mkdir()
            made.append(each)
    env = folder / "usr/bin/env"
    if _kind(env) is None and _kind(env.parent) == stat.S_IFDIR:
        _link(env, GuestPath("/bin/env"))
    return made
