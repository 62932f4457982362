"""Read cpio archives: the "new" ASCII formats (070701, 070702) and the old portable one (070707).

The formats are those of cpio(5); the binary one of the 1970s is not read.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lapstrake.formats.archive_entry import ArchiveDamaged, ArchiveEntry, EntryKind

_TRAILER = "TRAILER!!!"
_LONGEST_NAME = 1 << 16
_NEW_MAGICS = (b"070701", b"070702")
_OLD_MAGIC = b"070707"
_OLD_WIDTHS = (6, 6, 6, 6, 6, 6, 6, 11, 6, 11)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Header:
    """The fields that matter, and how the format pads."""

    inode: tuple[int, ...]
    mode: int
    links: int
    mtime: int
    size: int
    name_size: int
    aligned: bool

    def padding(self, length: int) -> int:
        return -length % 4 if self.aligned else 0


def read_cpio(stream: BinaryIO) -> Iterator[ArchiveEntry]:
    """Give the entries of a cpio archive in order.

    Hard links come as the file first, then links to it, although "new" archives store the content
    with the *last* name.

    Raises:
        ArchiveDamaged: the archive is cut short or makes no sense.
    """
    waiting: dict[tuple[int, ...], list[str]] = {}
    while True:
        header = _header(stream)
        name = _exactly(stream, header.name_size).rstrip(b"\0").decode("utf-8", "surrogateescape")
        head_size = (110 if header.aligned else 76) + header.name_size
        _exactly(stream, header.padding(head_size))
        if name == _TRAILER:
            break
        content = _Content(stream, header.size)
        if stat.S_ISREG(header.mode) and header.links > 1 and header.aligned:
            if header.size == 0:
                waiting.setdefault(header.inode, []).append(name)
            else:
                yield _entry(header, name, content)
                content.skip()
                for other in waiting.pop(header.inode, ()):
                    yield ArchiveEntry(name=other, kind=EntryKind.HARD_LINK, target=name)
        else:
            yield _entry(header, name, content)
        content.skip()
        _exactly(stream, header.padding(header.size))
    for names in waiting.values():  # links to an empty file
        for name in names:
            yield ArchiveEntry(name=name, kind=EntryKind.FILE, read=_nothing)


def _entry(header: _Header, name: str, content: _Content) -> ArchiveEntry:
    kind, target = EntryKind.OTHER, ""
    if stat.S_ISREG(header.mode):
        kind = EntryKind.FILE
    elif stat.S_ISDIR(header.mode):
        kind = EntryKind.FOLDER
    elif stat.S_ISLNK(header.mode):
        kind = EntryKind.SYMLINK
        target = content.read(_LONGEST_NAME).decode("utf-8", "surrogateescape")
    elif stat.S_ISFIFO(header.mode):
        kind = EntryKind.FIFO
    elif stat.S_ISCHR(header.mode) or stat.S_ISBLK(header.mode):
        kind = EntryKind.DEVICE
    return ArchiveEntry(
        name=name, kind=kind, mode=stat.S_IMODE(header.mode), mtime=header.mtime, target=target,
        read=content.read,
    )  # fmt: skip


def _header(stream: BinaryIO) -> _Header:
    magic = _exactly(stream, 6)
    try:
        if magic in _NEW_MAGICS:
            raw = _exactly(stream, 104)
            field = [int(raw[at : at + 8], 16) for at in range(0, 104, 8)]
            header = _Header(
                inode=(field[0], field[7], field[8]), mode=field[1], links=field[4],
                mtime=field[5], size=field[6], name_size=field[11], aligned=True,
            )  # fmt: skip
        elif magic == _OLD_MAGIC:
            field = [int(_exactly(stream, width), 8) for width in _OLD_WIDTHS]
            header = _Header(
                inode=(field[1], field[0]), mode=field[2], links=field[5], mtime=field[7],
                name_size=field[8], size=field[9], aligned=False,
            )  # fmt: skip
        else:
            raise ArchiveDamaged("an entry does not begin with a header")
    except ValueError as bad:
        raise ArchiveDamaged("a header is no header") from bad
    if not 0 < header.name_size <= _LONGEST_NAME or header.size < 0:
        raise ArchiveDamaged("a header has impossible sizes")
    return header


class _Content:
    """The bytes of one entry inside the stream."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._left = size

    def read(self, limit: int) -> bytes:
        piece = self._stream.read(min(limit, self._left))
        if not piece and self._left and limit:
            raise ArchiveDamaged("cut short")
        self._left -= len(piece)
        return piece

    def skip(self) -> None:
        while self._left:
            self.read(1 << 16)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            raise ArchiveDamaged("cut short")
        data += piece
    return data


def _nothing(_limit: int) -> bytes:
    return b""
