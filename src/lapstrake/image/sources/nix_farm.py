"""The folder of links that makes store paths a root: ``/bin``, ``/lib``, ``/share`` ...

Made here and not by a package: a package set needs no tools of its own for it, and an image for
another machine needs nothing that runs there.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lapstrake.host.files import DISK_FULL, disk_error
from lapstrake.names import GuestPath

FARM_VERSION = 1
"""Raised when the same packages get another farm."""

_EPOCH_NS = 1_000_000_000  # what nix gives all files of a store
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
    """
    try:
        folder.mkdir()
        tops = [package for package in packages if _kind(on_host(package)) == stat.S_IFDIR]
        pending = [(folder, tops)]
        while pending:
            target, sources = pending.pop()
            pending += _merge(target, sources, on_host)
        _add_customs(folder)
        _settle(folder)
    except OSError as failure:
        if failure.errno in DISK_FULL:
            raise disk_error(failure, doing="making the links of a Nix image") from failure
        raise


def _merge(
    target: Path, sources: Sequence[GuestPath], on_host: OnHost
) -> Iterable[tuple[Path, list[GuestPath]]]:
    """Link what is in some folders; gives the folders in them that are to be merged in turn."""
    found: dict[str, list[GuestPath]] = {}
    for source in sources:
        for entry in on_host(source).iterdir():
            found.setdefault(entry.name, []).append(source / entry.name)
    for name, paths in found.items():
        first = _kind(on_host(paths[0]))
        folders = _folders(paths, on_host) if first == stat.S_IFDIR or len(paths) > 1 else []
        if folders and folders[0][0] == paths[0]:
            (target / name).mkdir()
            yield target / name, [real for _, real in folders]
        else:
            (target / name).symlink_to(paths[0])


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


def _add_customs(folder: Path) -> None:
    """``/tmp`` and ``/usr/bin/env``, unless packages brought something of the name."""
    temporary = folder / "tmp"
    if _kind(temporary) is None:
        temporary.mkdir()
    usr, binaries = folder / "usr", folder / "usr" / "bin"
    for each in (usr, binaries):
        if _kind(each) is None:
            each.mkdir()
        elif _kind(each) != stat.S_IFDIR:
            return
    if _kind(binaries / "env") is None:
        (binaries / "env").symlink_to("/bin/env")


def _settle(folder: Path) -> None:
    """Give everything the permissions and times that the same packages always get."""
    times = (_EPOCH_NS, _EPOCH_NS)
    for here, folders, names in os.walk(folder, topdown=False):
        for name in (*folders, *names):
            os.utime(Path(here, name), ns=times, follow_symlinks=False)
        Path(here).chmod(0o755)
    if (folder / "tmp").is_dir() and not (folder / "tmp").is_symlink():
        (folder / "tmp").chmod(0o1777)
    os.utime(folder, ns=times)
