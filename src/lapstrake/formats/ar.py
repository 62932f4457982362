"""Read ar archives (ar(5), deb(5)): a magic line, then members behind 60-byte text headers.

python-debian reads them, too, but trusts the sizes: a negative one makes it loop for ever.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from lapstrake.formats.archive_entry import ArchiveDamaged, ArchiveEntry, EntryKind

_MAGIC = b"!<arch>\n"
_HEADER_SIZE = 60
_HEADER_END = b"`\n"


def read_ar(stream: BinaryIO) -> Iterator[ArchiveEntry]:
    """Give the members of an ar archive in order.

    Raises:
        ArchiveDamaged: the archive is cut short or makes no sense.
    """
    if stream.read(len(_MAGIC)) != _MAGIC:
        raise ArchiveDamaged("no ar archive")
    while header := stream.read(_HEADER_SIZE):
        name, mtime, size = _fields(header)
        member = _Member(stream, size, name)
        yield ArchiveEntry(name=name, kind=EntryKind.FILE, mtime=mtime, read=member.read)
        member.finish()


def _fields(header: bytes) -> tuple[str, int, int]:
    if len(header) < _HEADER_SIZE or not header.endswith(_HEADER_END):
        raise ArchiveDamaged("a member does not begin with a header")
    name = header[:16].decode("utf-8", "surrogateescape").rstrip(" ").removesuffix("/")
    mtime, size = header[16:28].strip(), header[48:58].strip()
    if not size.isdigit() or not (mtime or b"0").isdigit():
        raise ArchiveDamaged(f"the header of the member {name!r} makes no sense")
    return name, int(mtime or b"0"), int(size)


class _Member:
    """One member's bytes inside the stream."""

    def __init__(self, stream: BinaryIO, size: int, name: str) -> None:
        self._stream, self._left, self._name = stream, size, name
        self._padding = size % 2

    def read(self, limit: int) -> bytes:
        piece = self._stream.read(min(limit, self._left))
        if not piece and self._left and limit:
            raise ArchiveDamaged(f"the member {self._name!r} is cut short")
        self._left -= len(piece)
        return piece

    def finish(self) -> None:
        while self._left:
            self.read(1 << 16)
        self._stream.read(self._padding)
