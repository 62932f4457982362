"""Write entries of an archive into a private folder, by the rules of `ArchiveTree`."""

from __future__ import annotations

import os
from pathlib import Path

from lapstrake.formats.archive_entry import ArchiveEntry, EntryKind
from lapstrake.formats.checksum import PIECE
from lapstrake.source.archive_tree import ArchiveTree, Place, RefusedEntry

_LATEST = (1 << 32) - 1
"""Times are clamped to what every file system and archive format can hold."""


class TreeWriter:
    """Writes entries below a folder that nobody else can reach.

    Args:
        root: an empty folder.
        limit: bytes of content that may be written.
        inside_only: refuse symbolic links that leave the folder.
        modes: keep permissions, but for set-id bits and others' right to write; otherwise files
            are 0644 or 0755.
    """

    def __init__(self, root: Path, *, limit: int, inside_only: bool, modes: bool = False) -> None:
        self._root = os.fspath(root)  # a Path for each file would take longer than the file
        self._modes = modes
        self._tree = ArchiveTree(inside_only=inside_only)
        self._left = limit
        self._limit = limit
        self._folder_times: dict[str, int] = {}
        self._folder_modes: dict[str, int] = {}

    def write(self, entry: ArchiveEntry) -> None:
        """Write one entry.

        Raises:
            RefusedEntry: the entry would reach outside, is a device, or there is too much.
            OSError: the disk is full.
        """
        match entry.kind:
            case EntryKind.FOLDER:
                place = self._tree.folder(entry.name)
                self._make_folders(place)
                self._folder_times[place.path] = _clamped(entry.mtime)
                if self._modes:
                    self._folder_modes[place.path] = entry.mode & 0o755 | 0o700
            case EntryKind.FILE:
                self._write_file(entry)
            case EntryKind.SYMLINK:
                place = self._tree.symlink(entry.name, entry.target)
                path = self._prepare(place)
                os.symlink(entry.target, path)  # noqa: PTH211 - see __init__
                time = _clamped(entry.mtime)
                os.utime(path, (time, time), follow_symlinks=False)
            case EntryKind.HARD_LINK:
                place, source = self._tree.hard_link(entry.name, entry.target)
                os.link(f"{self._root}/{source}", self._prepare(place), follow_symlinks=False)
            case EntryKind.DEVICE | EntryKind.FIFO | EntryKind.OTHER:
                raise RefusedEntry(f"it is a {entry.kind}, which no source needs")

    def finish(self) -> None:
        """Judge the links and give folders their modes and times, when all entries are written.

        Raises:
            RefusedEntry: a symbolic link leads outside.
        """
        self._tree.check_links()
        for path, mode in self._folder_modes.items():
            os.chmod(f"{self._root}/{path}", mode)  # noqa: PTH101
        for path, time in self._folder_times.items():
            os.utime(f"{self._root}/{path}", (time, time))

    def _prepare(self, place: Place) -> str:
        self._make_folders(place)
        path = f"{self._root}/{place.path}"
        if place.replaces:
            os.unlink(path)  # noqa: PTH108
        return path

    def _make_folders(self, place: Place) -> None:
        for folder in place.new_folders:
            path = f"{self._root}/{folder}"
            os.mkdir(path)  # noqa: PTH102
            # Whatever the umask, and without a set-gid bit from above.
            os.chmod(path, 0o755)  # noqa: PTH101, S103 - others may look into it

    def _write_file(self, entry: ArchiveEntry) -> None:
        place = self._tree.file(entry.name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._prepare(place), flags, 0o600)
        try:
            while entry.read is not None and (piece := entry.read(PIECE)):
                self._left -= len(piece)
                if self._left < 0:
                    raise RefusedEntry(
                        f"the archive's content is larger than {self._limit} bytes, more than an "
                        "archive of this size may hold"
                    )
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            os.fchmod(descriptor, self._file_mode(entry))
            time = _clamped(entry.mtime)
            os.utime(descriptor, (time, time))
        finally:
            os.close(descriptor)

    def _file_mode(self, entry: ArchiveEntry) -> int:
        if self._modes:
            return entry.mode & 0o755 | 0o600
        return 0o755 if entry.mode & 0o111 else 0o644


def _clamped(mtime: int) -> int:
    return min(max(mtime, 0), _LATEST)
