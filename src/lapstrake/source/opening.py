"""Open an archive of any kind: look at its first bytes, choose the reader."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from lapstrake.errors import UnpackError
from lapstrake.formats.ar import read_ar
from lapstrake.formats.archive_entry import ArchiveEntry, EntryKind
from lapstrake.formats.archive_kind import (
    SNIFF_BYTES,
    Compression,
    Container,
    compression,
    container,
)
from lapstrake.formats.cpio import read_cpio
from lapstrake.source.readers import MeteredStream, decompressed, read_tar, read_zip
from lapstrake.source.seven_zip import read_seven_zip

_DRAIN = 1 << 20
_MOST_AFTER_END = 64 << 20
"""Bytes after an archive's end (padding of tapes) that are read for the sake of the checksum."""

_SUFFIXES = (".bin", ".gz", ".bz2", ".xz", ".lzma", ".lz", ".zst")


def entries_of(archive: Path, *, scratch: Path, limit: int, name: str) -> Iterator[ArchiveEntry]:
    """Give the entries of an archive.

    Args:
        archive: the file.
        scratch: a path for a folder that a helper program may use; removed by the caller.
        limit: bytes that a helper program may write.
        name: what to call it in messages.

    Raises:
        UnpackError: it is no archive of a known kind, or a helper program is missing.
        ArchiveDamaged and what else the readers raise.
    """
    with archive.open("rb") as raw:
        head = raw.read(SNIFF_BYTES)
        raw.seek(0)
        squeezed = compression(head)
        plain = io.BufferedReader(_Readable(decompressed(raw, squeezed)))
        kind = container(plain.peek(SNIFF_BYTES) if squeezed is not Compression.NONE else head)
        match kind:
            case Container.ZIP if squeezed is Compression.NONE:
                yield from read_zip(archive)
            case Container.SEVEN_ZIP if squeezed is Compression.NONE:
                yield from read_seven_zip(archive, scratch=scratch, limit=limit)
            case Container.TAR:
                unprotected = squeezed is Compression.NONE
                yield from read_tar(MeteredStream(plain), marked_end=unprotected)
            case Container.CPIO:
                yield from read_cpio(plain)
            case Container.AR:
                yield from read_ar(plain)
            case _ if squeezed is not Compression.NONE:
                yield ArchiveEntry(name=_stem(name), kind=EntryKind.FILE, read=plain.read)
            case _:
                raise UnpackError(
                    f"{name} is no archive of a known kind",
                    details=f"It begins with {head[:16]!r}.",
                    resolution="Fetch it with file:: when it is not meant to be unpacked.",
                )
        if squeezed is not Compression.NONE:
            _drain(cast(BinaryIO, plain))


class _Readable(io.RawIOBase):
    """Any binary stream as a raw one, which BufferedReader wants."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        piece = self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _drain(stream: BinaryIO) -> None:
    """Read on to the stream's end, since compressed streams have their checksums there."""
    for _ in range(_MOST_AFTER_END // _DRAIN):
        if not stream.read(_DRAIN):
            return


def _stem(name: str) -> str:
    """A single file's name: the archive's without the suffix that compressing added."""
    stem = PurePosixPath(name).name
    while stem.lower().endswith(_SUFFIXES):
        stem = stem.rpartition(".")[0]
    return stem or "content"
