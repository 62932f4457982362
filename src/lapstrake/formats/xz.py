"""Read .xz and .lzma streams within a bound of memory, which the header of a stream chooses."""

from __future__ import annotations

import io
import lzma
from typing import BinaryIO

MEMORY = 1 << 30
"""Bytes that a decoder may take; ``xz -9`` needs 65 MiB, a forged header asks for four GiB."""

_PIECE = 1 << 16


class XzReader(io.RawIOBase):
    """The bytes of one stream or of several, with padding between; what else follows is ignored.

    Raises:
        lzma.LZMAError: from any read, when it is damaged or wants too much memory.
        EOFError: from any read, when it is cut short.
    """

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = lzma.LZMADecompressor(memlimit=MEMORY)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with the next bytes; 0 at the end."""
        while True:
            if self._decoder.eof:
                piece = self._next_stream(len(buffer))
                if piece is None:
                    return 0
            else:
                piece = self._decoder.decompress(self._input(), len(buffer))
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)

    def _input(self) -> bytes:
        if not self._decoder.needs_input:
            return b""
        more = self._stream.read(_PIECE)
        if not more:
            raise EOFError("the compressed data is cut short")
        return more

    def _next_stream(self, size: int) -> bytes | None:
        """Begin with the stream behind the one that ended, if there is one."""
        rest = self._decoder.unused_data.lstrip(b"\0")
        while not rest:
            more = self._stream.read(_PIECE)
            if not more:
                return None
            rest = more.lstrip(b"\0")
        decoder = lzma.LZMADecompressor(memlimit=MEMORY)
        try:
            piece = decoder.decompress(rest, size)
        except lzma.LZMAError:
            return None
        self._decoder = decoder
        return piece
