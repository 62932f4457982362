"""An archive's bytes without its compression, unpacked a few pieces ahead in a thread."""

from __future__ import annotations

import io
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from lapstrake.errors import ArtifactError
from lapstrake.formats.archive_entry import ArchiveDamaged
from lapstrake.formats.archive_kind import SNIFF_BYTES, Compression, compression

_PIECE = 1 << 20
_AHEAD = 8

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

    Decompressing takes most of the time, and releases the interpreter's lock: so it is done in a
    thread, while this one writes files.

    Raises:
        BadArchiveError: as `kind_of`.
    """
    kind = kind_of(archive)
    with archive.open("rb") as raw:
        ahead = _Ahead(_decompressor(raw, kind))
        try:
            yield io.BufferedReader(ahead, _PIECE)
        finally:
            ahead.stop()


def _decompressor(raw: BinaryIO, kind: Compression) -> BinaryIO:
    if kind is Compression.GZIP:
        from isal import igzip

        return cast("BinaryIO", igzip.open(raw, "rb"))  # type: ignore[no-untyped-call]
    if kind is Compression.XZ:
        import lzma

        return cast("BinaryIO", lzma.LZMAFile(raw))
    return cast("BinaryIO", zstd_module().ZstdFile(raw))


def zstd_module() -> Any:  # noqa: ANN401 - one of two modules
    """The zstd module of this Python, or its backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


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


class _Ahead(io.RawIOBase):
    """A stream that another one is read into by a thread."""

    def __init__(self, source: BinaryIO) -> None:
        super().__init__()
        self._source = source
        self._pieces: queue.Queue[bytes | BaseException] = queue.Queue(_AHEAD)
        self._rest = memoryview(b"")
        self._stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any writable buffer
        if not self._rest:
            piece = self._pieces.get()
            if isinstance(piece, BaseException):
                self._pieces.put(piece)  # whoever reads on hears it again
                raise piece
            if not piece:
                self._pieces.put(piece)
                return 0
            self._rest = memoryview(piece)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

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
