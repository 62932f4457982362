"""Read lzip streams (RFC-style description: lzip's manual, "File format") with the lzma module.

The standard library decodes LZMA but does not know lzip's framing, which is a 6-byte header, a raw
LZMA stream with fixed parameters and an end marker, and a 20-byte trailer.
"""

from __future__ import annotations

import io
import lzma
import struct
import zlib
from typing import BinaryIO

_HEADER = struct.Struct("<4sBB")
_TRAILER = struct.Struct("<IQQ")
_MAGIC = b"LZIP"
_PIECE = 1 << 16


class LzipError(ValueError):
    """The stream is not lzip, or is damaged or cut short."""


def _dictionary_size(coded: int) -> int:
    """Decode the header's dictionary size: a power of two less some sixteenths of it."""
    base = 1 << (coded & 0x1F)
    size = base - (base >> 4) * (coded >> 5)
    if not 1 << 12 <= size <= 1 << 29:
        raise LzipError("the dictionary size is out of range")
    return size


class LzipReader(io.RawIOBase):
    """The bytes of a (multi-member) lzip stream; every member's checksum and size are verified.

    Raises:
        LzipError: from any read, when the stream is damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._pending = b""
        self._decoder: lzma.LZMADecompressor | None = None
        self._crc = 0
        self._size = 0
        self._members = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with the next bytes; 0 at the end."""
        while True:
            if self._decoder is None and not self._start_member():
                return 0
            piece = self._decode(len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)

    def _take(self, count: int) -> bytes:
        while len(self._pending) < count:
            more = self._stream.read(_PIECE)
            if not more:
                break
            self._pending += more
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken

    def _start_member(self) -> bool:
        header = self._take(_HEADER.size)
        if self._members and not header.startswith(_MAGIC):
            return False  # the end, or trailing data, which the format allows
        if len(header) < _HEADER.size:
            raise LzipError("cut short in a header")
        magic, version, coded = _HEADER.unpack(header)
        if magic != _MAGIC or version != 1:
            raise LzipError("not an lzip stream of version 1")
        options = {
            "id": lzma.FILTER_LZMA1, "dict_size": _dictionary_size(coded),
            "lc": 3, "lp": 0, "pb": 2,
        }  # fmt: skip
        self._decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[options])
        self._crc = self._size = 0
        return True

    def _decode(self, limit: int) -> bytes:
        assert self._decoder is not None  # noqa: S101 - readinto started the member
        data = b""
        if self._decoder.needs_input:
            data = self._pending or self._stream.read(_PIECE)
            self._pending = b""
            if not data:
                raise LzipError("cut short")
        try:
            piece = self._decoder.decompress(data, limit)
        except lzma.LZMAError as damaged:
            raise LzipError(f"damaged: {damaged}") from damaged
        self._crc = zlib.crc32(piece, self._crc)
        self._size += len(piece)
        if self._decoder.eof:
            self._end_member(self._decoder.unused_data)
        return piece

    def _end_member(self, rest: bytes) -> None:
        self._pending = rest + self._pending
        trailer = self._take(_TRAILER.size)
        if len(trailer) < _TRAILER.size:
            raise LzipError("cut short in a trailer")
        crc, size, _member = _TRAILER.unpack(trailer)
        if (crc, size) != (self._crc, self._size):
            raise LzipError("a checksum does not match")
        self._decoder = None
        self._members += 1
