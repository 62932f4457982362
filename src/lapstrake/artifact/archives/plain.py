"""An archive's bytes without its compression, which is undone beside the reading."""

from __future__ import annotations

import fcntl
import io
import queue
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from lapstrake.errors import ArtifactError
from lapstrake.formats.archive_entry import ArchiveDamaged
from lapstrake.formats.archive_kind import SNIFF_BYTES, Compression, compression
from lapstrake.formats.zstd import zstd_module
from lapstrake.host.process import find_program, open_output, tail

_PIPE = 1 << 20
_PIECE = 1 << 18  # a processor's own cache has room for it
_AHEAD = 32

KINDS = (Compression.GZIP, Compression.XZ, Compression.ZSTD)
"""How archives of artifacts may be compressed, whatever their names say."""


class BadArchiveError(ArtifactError):
    """An archive is damaged, hostile, or no archive of an artifact: the fault is in the file."""


def kind_of(archive: Path) -> Compression:
    """Tell how an archive is compressed by its first bytes.

    Raises:
        BadArchiveError: it is empty, or no archive of artifacts.
        OSError: it cannot be read.
    """
    with archive.open("rb") as file:
        head = file.read(SNIFF_BYTES)
    kind = compression(head)
    if kind not in KINDS:
        raise BadArchiveError(
            f"{archive} is {'no archive of a known kind' if head else 'empty'}",
            details=f"It begins with {head[:16]!r}." if head else "",
            resolution="Artifacts are tar archives compressed with gzip, xz or zstd.",
        )
    return kind


@contextmanager
def open_plain(archive: Path) -> Iterator[BinaryIO]:
    """Read what an archive holds; errors of decompression come out of ``read`` as they are.

    Decompressing takes most of the time, so it is done beside: by a thread, which spares all bytes
    the way through a pipe; for xz by its program where that is installed, since it takes all
    processors. gzip is ISA-L's, which is more than twice as fast as any gzip.

    Raises:
        BadArchiveError: as `kind_of`.
    """
    kind = kind_of(archive)
    program = find_program("xz") if kind is Compression.XZ else None
    if program is not None:
        with _through([program, *_XZ_OPTIONS, "--", archive]) as stream:
            yield stream
        return
    with archive.open("rb") as raw:
        ahead = _Ahead(_decompressor(raw, kind))
        try:
            yield cast("BinaryIO", ahead)
        finally:
            ahead.stop()


_XZ_OPTIONS = ("-dc", "--threads=0", "--memlimit-decompress=1GiB")


@contextmanager
def _through(argv: Sequence[str | Path]) -> Iterator[BinaryIO]:
    """What a program writes; a failure of it is raised where its output ends."""
    with tempfile.TemporaryFile() as errors, open_output(argv, errors=errors) as process:
        assert process.stdout is not None  # noqa: S101 - open_output pipes it
        with suppress(OSError):  # a pipe's default is small
            fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, _PIPE)

        def check() -> None:
            if process.wait() != 0:
                errors.seek(0)
                raise ArchiveDamaged(tail(errors.read()) or f"{argv[0]} failed")

        yield cast("BinaryIO", _Checked(cast("io.BufferedReader", process.stdout), check))


class _Checked:
    """A stream that is judged at its end."""

    def __init__(self, stream: io.BufferedReader, check: Callable[[], None]) -> None:
        self._stream, self._check = stream, check

    def read(self, size: int) -> bytes:
        """Give what is in the pipe, at most so many bytes; none at the end alone."""
        data = self._stream.read1(size)
        if not data:
            self._check()
        return data


def _decompressor(raw: BinaryIO, kind: Compression) -> BinaryIO:
    if kind is Compression.GZIP:
        from isal import igzip

        return cast("BinaryIO", igzip.open(raw, "rb"))  # type: ignore[no-untyped-call]
    if kind is Compression.XZ:
        from lapstrake.formats.xz import XzReader

        return io.BufferedReader(XzReader(raw), _PIECE)
    return cast("BinaryIO", _ZstdStream(raw))


class _ZstdStream:
    """The bytes of one frame or of several; ZstdFile would copy each twice more.

    Raises:
        ZstdError: from any read, when it is damaged.
        EOFError: from any read, when it is cut short.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self._decoder = raw, zstd_module().ZstdDecompressor()

    def read(self, size: int) -> bytes:
        """Give the next bytes, at most so many; none at the end alone."""
        while True:
            packed = b""
            if self._decoder.eof:
                packed = self._decoder.unused_data or self._raw.read(_PIECE)
                if not packed:
                    return b""
                self._decoder = zstd_module().ZstdDecompressor()
            elif self._decoder.needs_input and not (packed := self._raw.read(_PIECE)):
                raise EOFError("the compressed data is cut short")
            piece: bytes = self._decoder.decompress(packed, size)
            if piece:
                return piece


def damages() -> tuple[type[Exception], ...]:
    """What readers of compressed and of tar streams raise on bytes that make no sense."""
    import lzma
    import tarfile
    import zlib

    from isal import isal_zlib

    isal_error = cast("type[Exception]", isal_zlib.IsalError)
    return (
        ArchiveDamaged, tarfile.TarError, zlib.error, lzma.LZMAError, isal_error, EOFError,
        zstd_module().ZstdError, ValueError, OverflowError, IndexError, KeyError,
    )  # fmt: skip


class _Ahead:
    """A stream that another one is read into by a thread."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._pieces: queue.Queue[bytes | BaseException] = queue.Queue(_AHEAD)
        self._rest = memoryview(b"")
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def read(self, size: int) -> bytes:
        """Give what is there, at most so many bytes; none at the end alone."""
        if not self._rest and not self._next():
            return b""
        data, self._rest = self._rest[:size], self._rest[size:]
        whole = data.obj
        return whole if isinstance(whole, bytes) and len(whole) == len(data) else bytes(data)

    def _next(self) -> bool:
        """Take the next piece; at the end there is none."""
        piece = self._pieces.get()
        if isinstance(piece, BaseException) or not piece:
            self._pieces.put(piece)  # whoever reads on hears it again
        if isinstance(piece, BaseException):
            raise piece
        self._rest = memoryview(piece)
        return bool(piece)

    def stop(self) -> None:
        """End the thread, which must not outlive the file it reads."""
        self._stopped = True
        while self._thread.is_alive():
            try:
                self._pieces.get(timeout=0.01)
            except queue.Empty:
                continue
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._stopped and (piece := self._source.read(_PIECE)):
                self._pieces.put(piece)
            self._pieces.put(b"")
        except BaseException as failed:  # noqa: BLE001 - raised where it is read
            self._pieces.put(failed)
