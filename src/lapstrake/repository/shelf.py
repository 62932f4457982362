"""A repository's package files: found, put in place, taken away; whole after any kill.

A file lies in the repository's folder under its own name. When a package is built anew, that name
still belongs to the published index, so the new file first lies at ``rebuilt/SUM/NAME`` and the new
index names it there; after the switch the plain name is linked to it. A journal lists the names
that a publication touches: whatever of it the published index does not name is removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lapstrake.errors import LapstrakeError, PublishError
from lapstrake.formats.aptindex import IndexEntry, index_entry
from lapstrake.formats.deb import Deb, read_deb
from lapstrake.host.files import (
    copy_atomic,
    link_atomic,
    remove_leftovers,
    remove_tree,
    sync_file,
    sync_folder,
    write_atomic,
)
from lapstrake.repository.generation import PRIVATE, Generation

REBUILT = "rebuilt"
"""The folder of files whose plain name an older index still uses."""

_JOURNAL = Path(PRIVATE, "journal.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A package file outside the repository, read and summed."""

    deb: Deb
    sha256: str
    build: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the folder holds now, beside what its index says: see `scan`."""

    entries: tuple[IndexEntry, ...]
    seen: dict[str, tuple[int, int]]


def inspect(path: Path, build: str) -> Incoming:
    """Read a package file that is to be published.

    Raises:
        PackError: it is no sound package.
    """
    return Incoming(deb=read_deb(path), sha256=file_sum(path), build=build)


def scan(folder: Path, published: Generation, *, on_warning: Callable[[str], None]) -> Found:
    """Compare the folder with its index: files added, changed or removed by hand are found.

    Args:
        folder: the repository.
        published: its index.
        on_warning: told of each file that is no sound package; such a file is left out.
    """
    listed = {entry.name: entry for entry in published.entries}
    entries: dict[tuple[str, str, str], IndexEntry] = {}
    seen: dict[str, tuple[int, int]] = {}
    files = _package_files(folder)
    # Those of the index first: a second file of the same package has no claim to its place.
    for name in sorted(files, key=lambda name: (name not in listed, name)):
        try:
            entry = _entry_of(folder, name, files[name], listed.get(name), published)
        except LapstrakeError as wrong:
            on_warning(f"left out of the index: {wrong.brief}")
            continue
        if entry.identity in entries:
            on_warning(f"left out of the index: {name}: is {entries[entry.identity].name} again")
            continue
        entries[entry.identity] = entry
        seen[name] = files[name]
    return Found(entries=tuple(entries.values()), seen=seen)


def shelve(folder: Path, incoming: Incoming, *, taken: bool) -> IndexEntry:
    """Put a file where no published index looks for other bytes, flushed to the disk.

    Args:
        folder: the repository.
        incoming: the file.
        taken: whether its plain name belongs to the published index.
    """
    name = incoming.deb.path.name
    location = f"./{REBUILT}/{incoming.sha256[:16]}/{name}" if taken else f"./{name}"
    place = folder / location
    place.parent.mkdir(parents=True, exist_ok=True)
    copy_atomic(incoming.deb.path, place, durable=False)
    sync_file(place)
    if taken:
        sync_folder(place.parent)
    return index_entry(
        incoming.deb, location=location, sha256=incoming.sha256, build=incoming.build
    )


def settle(folder: Path, published: Generation, names: Iterable[str]) -> None:
    """Make the plain names agree with the published index: link what is in it, remove the rest."""
    listed = {entry.name: entry for entry in published.entries}
    for name in names:
        entry, plain = listed.get(name), folder / name
        if entry is None:
            plain.unlink(missing_ok=True)
        elif entry.location != f"./{name}":
            link_atomic(folder / entry.location, plain)


def begin(folder: Path, names: Sequence[str]) -> None:
    """Write the journal: these plain names are about to change."""
    write_atomic(folder / _JOURNAL, json.dumps(sorted(names)).encode())


def finish(folder: Path, published: Generation) -> None:
    """End a publication, also one that was killed: settle its names and remove what it left."""
    try:
        names = json.loads((folder / _JOURNAL).read_bytes())
    except FileNotFoundError:
        names = []
    settle(folder, published, names)
    _drop_rebuilt(folder, published)
    (folder / _JOURNAL).unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Remove the unfinished files of publications that were killed."""
    for place in (folder, folder / PRIVATE, folder / "by-hash" / "SHA256"):
        if place.is_dir():
            remove_leftovers(place)


def file_sum(path: Path) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def look(path: Path) -> tuple[int, int]:
    """A regular file's size and modification time in ns; changed bytes nearly always show there."""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise PublishError(f"{path.name}: is not a regular file")
    return (status.st_size, status.st_mtime_ns)


def _package_files(folder: Path) -> dict[str, tuple[int, int]]:
    files = {}
    with os.scandir(folder) as listing:
        for item in listing:
            if item.name.endswith(".deb") and not item.name.startswith("."):
                status = item.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    files[item.name] = (status.st_size, status.st_mtime_ns)
    return files


def _entry_of(
    folder: Path,
    name: str,
    looks: tuple[int, int],
    listed: IndexEntry | None,
    published: Generation,
) -> IndexEntry:
    if listed is not None and published.seen.get(name) == looks and _in_place(folder, listed):
        return listed
    digits = file_sum(folder / name)
    if listed is not None and listed.sha256 == digits and _in_place(folder, listed):
        return listed
    return index_entry(read_deb(folder / name), location=f"./{name}", sha256=digits)


def _in_place(folder: Path, entry: IndexEntry) -> bool:
    return entry.location == f"./{entry.name}" or (folder / entry.location).is_file()


def _drop_rebuilt(folder: Path, published: Generation) -> None:
    place = folder / REBUILT
    if not place.is_dir():
        return
    needed = {Path(need).parts[1] for need in published.needed if need.startswith(f"./{REBUILT}/")}
    for old in place.iterdir():
        if old.name not in needed:
            remove_tree(old)
