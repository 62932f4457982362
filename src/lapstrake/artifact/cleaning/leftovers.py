"""What getting and building leave besides artifacts, and how it is removed.

Packages that were fetched, downloads that broke off, those of platforms, and build folders of
packages that nobody works on (those of others are in the packages): all of it can be made again.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from lapstrake.artifact.building.workbench import LOCK
from lapstrake.artifact.keeping.entries import Entry, Kind, split_name
from lapstrake.errors import StoreError
from lapstrake.host.files import remove_tree, temporary_name
from lapstrake.host.locks import locked
from lapstrake.host.owned import remove_owned
from lapstrake.host.supervise import tree_size

_PARTIAL = "partial"
_PACKAGES_LOCK = ".lock"


def partials_in(downloads: Path) -> list[Entry]:
    """What interrupted downloads left in the folder of downloads, those of sources as well."""
    found = []
    for path in _listed(downloads / _PARTIAL):
        with suppress(OSError):  # it has become whole meanwhile
            facts = path.lstat()
            found.append(
                Entry(
                    name=path.name,
                    path=path,
                    kind=Kind.PARTIAL,
                    size=facts.st_blocks * 512,
                    used=facts.st_mtime,
                )
            )
    return found


def sources_in(downloads: Path) -> list[Entry]:
    """What platforms downloaded: files, and folders as Buildroot makes one for each package."""
    return [
        Entry(
            name=f"{folder.name}/{path.name}",
            path=path,
            kind=Kind.SOURCE,
            size=tree_size(path),
            used=_last_used(path),
        )
        for folder in sorted(downloads.glob("sources*"))
        for path in _listed(folder)
    ]


def packages_in(folder: Path) -> list[Entry]:
    """Packages that were fetched; what they were used last is their folders' time."""
    return [
        Entry(
            name=path.name,
            path=path,
            package=path.name.rpartition("-")[0],
            kind=Kind.PACKAGE,
            size=tree_size(path),
            used=path.lstat().st_mtime,
        )
        for path in _listed(folder)
        if path.is_dir() and not path.name.startswith(".")
    ]


def builds_in(folder: Path) -> list[Entry]:
    """Build folders with something in them."""
    found = []
    for path in _listed(folder):
        inside = [each for each in _listed(path) if each.name != LOCK]
        if not inside:
            continue
        name, _, _ = path.name.rpartition("-")  # behind it is whose, see `Depot.build_folder`
        package, host, version, _ = split_name(name)
        found.append(
            Entry(
                name=path.name,
                path=path,
                package=package,
                host=host,
                version=version,
                kind=Kind.BUILD,
                size=tree_size(path),
                used=max(each.lstat().st_mtime for each in inside),
            )
        )
    return found


def remove_package(entry: Entry) -> bool:
    """Remove a fetched package, unless packages are fetched at this moment."""
    folder = entry.path.parent
    try:
        with locked(folder / _PACKAGES_LOCK, what="the fetched packages", timeout=0.0):
            doomed = temporary_name(entry.path)
            entry.path.rename(doomed)
            remove_tree(doomed)
    except (StoreError, FileNotFoundError):
        return False
    return True


def remove_build(entry: Entry) -> bool:
    """Empty a build folder, unless somebody builds there."""
    try:
        with locked(entry.path / LOCK, what=f"the build of {entry.name}", timeout=0.0):
            for each in _listed(entry.path):
                if each.name != LOCK:
                    remove_owned(each)  # volumes of roots may hold other users' files
    except StoreError:
        return False
    return True


def _last_used(path: Path) -> float:
    """When a file, or any in a folder, was last written or read."""
    times = [0.0]
    for file in (path, *(path.rglob("*") if path.is_dir() and not path.is_symlink() else ())):
        with suppress(OSError):
            facts = file.lstat()
            read = facts.st_atime if stat.S_ISREG(facts.st_mode) else 0.0  # we read all others
            times.append(max(facts.st_mtime, read))
    return max(times)


def _listed(folder: Path) -> Iterator[Path]:
    """What is in a folder that need not be there."""
    try:
        yield from sorted(Path(entry.path) for entry in os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return
