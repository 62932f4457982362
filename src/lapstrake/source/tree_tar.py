"""A folder as a tar whose bytes depend on nothing but names, content, modes and one time."""

from __future__ import annotations

import tarfile
from collections.abc import Collection
from pathlib import Path
from typing import IO, cast

from lapstrake.errors import FetchError
from lapstrake.formats.archive_entry import ArchiveEntry, EntryKind
from lapstrake.formats.checksum import hash_stream
from lapstrake.names import Digest
from lapstrake.source.readers import read_folder

_TYPES = {
    EntryKind.FOLDER: tarfile.DIRTYPE,
    EntryKind.FILE: tarfile.REGTYPE,
    EntryKind.SYMLINK: tarfile.SYMTYPE,
}


def write_tree_tar(
    folder: Path, target: Path, *, mtime: int, without: Collection[str] = ()
) -> Digest:
    """Write a folder's content as a tar: sorted, owned by root, modes 0644 or 0755, one time.

    Hard links become files of their own; empty folders are kept.

    Args:
        folder: what to write.
        target: the tar; replaced when it is there.
        mtime: the time of every entry, seconds since 1970.
        without: names at the folder's top that are left out.

    Returns:
        the tar's SHA-256.

    Raises:
        FetchError: there is something else than files, folders and symbolic links.
    """
    with tarfile.open(
        target, "w", format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for entry in read_folder(folder, without=without):
            path = folder / entry.name
            if entry.kind not in _TYPES:
                raise FetchError(f"the checkout has a {entry.kind}: {entry.name!r}")
            info = _header(entry, mtime)
            if entry.kind is EntryKind.FILE:
                info.size = path.stat().st_size
            content = cast(IO[bytes], _Reader(entry)) if entry.kind is EntryKind.FILE else None
            tar.addfile(info, content)
    with target.open("rb") as stream:
        return hash_stream(stream, ["sha256"]).digest("sha256")


def _header(entry: ArchiveEntry, mtime: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(entry.name)
    info.type = _TYPES[entry.kind]
    info.linkname = entry.target
    info.mtime = mtime
    executable = entry.kind is not EntryKind.FILE or entry.mode & 0o111
    info.mode = 0o755 if executable else 0o644
    return info


class _Reader:
    """An entry's content as the file that tarfile copies from."""

    def __init__(self, entry: ArchiveEntry) -> None:
        assert entry.read is not None  # noqa: S101 - files have content
        self.read = entry.read
