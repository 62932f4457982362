"""A compressed tar inside another file, read forward only and with bounds.

``tarfile`` reads a header's own claims into memory, however large; `Packed` refuses to read more
than a header can sensibly have, and stops at a limit of uncompressed bytes.
"""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol, cast

from lapstrake.formats.zstd import zstd_module

_PIECE = 1 << 16
_LARGEST_READ = 4 << 20
_MEMORY = 256 << 20  # what xz -9 needs is 65 MiB
_MOST_MEMBERS = 4_000_000


class PackedError(Exception):
    """The data is damaged, too large, or compressed in an unknown way; the text says which."""


class _Decoder(Protocol):
    """The common part of the standard library's decompressors: bounded output per call."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Packed:
    """The uncompressed bytes of a part of a file, as a file object that only goes forward.

    Args:
        file: the outer file; its position is ours while we read.
        start: the part's first byte.
        size: the part's bytes.
        name: the part's name, whose suffix tells the compression (``.gz .xz .zst .lzma`` or none).
        limit: uncompressed bytes to give at most.

    Raises:
        PackedError: the suffix is unknown.
    """

    def __init__(self, file: BinaryIO, *, start: int, size: int, name: str, limit: int) -> None:
        self._file = file
        self._next = start
        self._end = start + size
        self._suffix = name.rpartition(".tar")[2]
        self._decoder = _decoder(self._suffix)
        self._limit = limit
        self._ready = b""
        self._place = 0
        self._rest = b""

    def tell(self) -> int:
        """The number of uncompressed bytes before the next one."""
        return self._place

    def seek(self, place: int, whence: int = 0) -> int:
        """Go forward to a byte; stops at the end.

        Raises:
            PackedError: the place lies behind us, or the data is damaged.
        """
        if whence != 0 or place < self._place:
            raise PackedError("a member points backwards")
        while self._place < place and self._take(min(place - self._place, _PIECE)):
            pass
        return self._place

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, fewer only at the end.

        Raises:
            PackedError: more is asked for than a header has, or the data is damaged.
        """
        if not 0 <= size <= _LARGEST_READ:
            raise PackedError(f"a header claims {size} bytes")
        pieces = []
        while size and (piece := self._take(size)):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes.

        Raises:
            PackedError: there are fewer.
        """
        data = self.read(size)
        if len(data) != size:
            raise PackedError("is truncated")
        return data

    def _take(self, size: int) -> bytes:
        if not self._ready:
            self._ready = self._more()
        piece, self._ready = self._ready[:size], self._ready[size:]
        self._place += len(piece)
        if self._place > self._limit:
            raise PackedError(f"has more than {self._limit} bytes uncompressed")
        return piece

    def _more(self) -> bytes:
        """The next uncompressed bytes; empty at the end of the last stream."""
        if self._decoder is None:
            return self._input()
        while True:
            if self._decoder.eof:
                # Another stream may follow: pigz, xz -T and zstd --rsyncable write several.
                self._rest = self._decoder.unused_data or self._input()
                if not self._rest.strip(b"\0"):
                    return b""
                self._decoder = _decoder(self._suffix) or self._decoder
            data = self._rest
            self._rest = b""
            if self._decoder.needs_input and not data:
                data = self._input()
                if not data:
                    raise PackedError("is truncated")
            try:
                output = self._decoder.decompress(data, _PIECE)
            except (lzma.LZMAError, zlib.error, OSError, EOFError, MemoryError) as wrong:
                raise PackedError(f"is damaged: {wrong}") from wrong
            except Exception as wrong:
                if type(wrong).__name__ != "ZstdError":  # its module is loaded only when needed
                    raise
                raise PackedError(f"is damaged: {wrong}") from wrong
            if output:
                return output

    def _input(self) -> bytes:
        self._file.seek(self._next)
        data = self._file.read(min(_PIECE, self._end - self._next))
        self._next += len(data)
        return data


def tar_members(packed: Packed) -> Iterator[tarfile.TarInfo]:
    """List a tar's members in order.

    Raises:
        PackedError: it is damaged, or has more members than any package.
    """
    try:
        with tarfile.open(fileobj=cast("BinaryIO", packed), mode="r:") as archive:
            members = 0
            while (info := archive.next()) is not None:
                members += 1
                if members > _MOST_MEMBERS:
                    raise PackedError(f"has more than {_MOST_MEMBERS} members")
                if info.size < 0:
                    raise PackedError("a member has a negative size")
                archive.members.clear()  # type: ignore[attr-defined] # it would keep them all
                yield info
    except (tarfile.TarError, ValueError, OverflowError, EOFError, RecursionError) as wrong:
        raise PackedError(f"is damaged: {wrong}") from wrong


def _decoder(suffix: str) -> _Decoder | None:
    if suffix == "":
        return None
    if suffix == ".gz":
        return _Gzip()
    if suffix in (".xz", ".lzma"):
        return lzma.LZMADecompressor(memlimit=_MEMORY)
    if suffix == ".zst":
        return _zstd()
    raise PackedError(f"compression {suffix!r} is unknown")


def _zstd() -> _Decoder:
    zstd = zstd_module()
    window = zstd.DecompressionParameter.window_log_max
    return cast("_Decoder", zstd.ZstdDecompressor(options={window: 27}))  # 128 MiB, as zstd's own


class _Gzip:
    """zlib's decompressor with the manners of the others."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        output = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = len(output) < max_length and not self._inner.unconsumed_tail
        return output
