"""Readers: the entries of an archive of any kind, in one shape, without writing anything."""

from __future__ import annotations

import bz2
import calendar
import gzip
import io
import os
import stat
import tarfile
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from lapstrake.formats.archive_entry import ArchiveDamaged, ArchiveEntry, EntryKind
from lapstrake.formats.archive_kind import Compression
from lapstrake.formats.lzip import LzipReader
from lapstrake.formats.tar_header import BLOCK, read_plain
from lapstrake.formats.xz import XzReader
from lapstrake.formats.zstd import zstd_module

HEADER_LIMIT = 64 << 10
"""Bytes that the headers before one entry may take. Real ones have some hundred; tarfile keeps them
in memory, and before Python 3.11.10 its time grows with their square (CVE-2024-6232)."""

_LONGEST_TARGET = 4096
_HELD = 1 << 18


class MeteredStream:
    """A stream that counts what is read from it, and can be told how much that may be.

    It can be sought forwards alone, by reading: for tarfile that is enough of a file, and costs
    less than tarfile's own reading of streams.

    Args:
        stream: where the bytes come from: any number of them at once, none at the end.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._held = b""
        self._at = 0
        self.total = 0
        self.allowance: int | None = None

    def tell(self) -> int:
        """How many bytes were read."""
        return self.total

    def seek(self, position: int) -> None:
        """Skip bytes; at the end of the stream nothing is left to skip.

        Raises:
            ArchiveDamaged: it would be backwards.
        """
        if position < self.total:
            raise ArchiveDamaged(f"offset {position} is behind what was read")
        while self.total < position and self.read_piece(position - self.total):
            pass

    def peek(self, size: int) -> bytes:
        """The bytes that come next; fewer at the end alone."""
        if len(self._held) - self._at < size:
            self._hold(size)
        return self._held[self._at : self._at + size]

    def read(self, size: int) -> bytes:
        """Read from the stream; fewer bytes at the end alone.

        Raises:
            ArchiveDamaged: `allowance` is used up.
        """
        if self.allowance is not None:
            if size > self.allowance:
                raise ArchiveDamaged("an entry's headers are too large")
            self.allowance -= size
        data = self.peek(size)
        self._at += len(data)
        self.total += len(data)
        return data

    def read_piece(self, size: int) -> memoryview:
        """Read what is at hand without copying it: at most so many bytes, none at the end."""
        if self._at == len(self._held):
            self._held, self._at = self._stream.read(_HELD), 0
        data = memoryview(self._held)[self._at : self._at + size]
        self._at += len(data)
        self.total += len(data)
        return data

    def _hold(self, size: int) -> None:
        """Have so many bytes at hand, if the stream has them."""
        parts = [self._held[self._at :]]
        have = len(parts[0])
        while have < size and (piece := self._stream.read(_HELD)):
            parts.append(piece)
            have += len(piece)
        self._held, self._at = b"".join(parts), 0


def decompressed(stream: BinaryIO, kind: Compression) -> BinaryIO:
    """The bytes of a compressed stream; errors come while it is read."""
    match kind:
        case Compression.GZIP:
            return cast(BinaryIO, gzip.GzipFile(fileobj=stream))
        case Compression.BZIP2:
            return cast(BinaryIO, bz2.BZ2File(stream))
        case Compression.XZ | Compression.LZMA:
            return io.BufferedReader(XzReader(stream), 1 << 16)
        case Compression.LZIP:
            return io.BufferedReader(LzipReader(stream), 1 << 16)
        case Compression.ZSTD:
            return _zstd(stream)
        case Compression.NONE:
            return stream


def _zstd(stream: BinaryIO) -> BinaryIO:
    return cast(BinaryIO, zstd_module().ZstdFile(stream))


class _StrictHeader(tarfile.TarInfo):
    """A header that must be one: tarfile itself takes a broken header for the archive's end."""

    @classmethod
    def fromtarfile(cls, tarfile: tarfile.TarFile) -> _StrictHeader:
        try:
            return super().fromtarfile(tarfile)
        except _HEADER_ERROR as broken:
            kind = type(broken).__name__  # typeshed does not know the subclasses
            if kind == "EOFHeaderError" or (kind == "EmptyHeaderError" and tarfile.offset > 0):
                raise
            raise ArchiveDamaged(f"{broken} at offset {tarfile.offset}") from broken


_HEADER_ERROR = tarfile.HeaderError  # the method's parameter, named by tarfile, hides the module

_TAR_KINDS = {
    tarfile.DIRTYPE: EntryKind.FOLDER,
    tarfile.SYMTYPE: EntryKind.SYMLINK,
    tarfile.LNKTYPE: EntryKind.HARD_LINK,
    tarfile.CHRTYPE: EntryKind.DEVICE,
    tarfile.BLKTYPE: EntryKind.DEVICE,
    tarfile.FIFOTYPE: EntryKind.FIFO,
    **dict.fromkeys(tarfile.REGULAR_TYPES, EntryKind.FILE),
}
_VOLUME_LABEL = b"V"
_HARMLESS = {"comment"}
"""Headers for all entries that say nothing of any: git archive has this one."""


def read_tar(stream: MeteredStream, *, marked_end: bool) -> Iterator[ArchiveEntry]:
    """Give the entries of a tar, read from front to end.

    Args:
        stream: the uncompressed bytes.
        marked_end: insist on the empty blocks at the end. Some archives lack them; nothing else
            shows that one without compression was cut short between two entries.

    Raises:
        ArchiveDamaged, tarfile.TarError and the errors of decompression.
    """
    stream.allowance = HEADER_LIMIT  # opening reads the first header already
    with tarfile.open(
        fileobj=cast(BinaryIO, stream), mode="r:", tarinfo=_StrictHeader, encoding="utf-8",
        errors="surrogateescape",
    ) as tar:  # fmt: skip
        member = _next_member(tar, stream)  # tarfile has it already
        while member is not None:
            if member.type != _VOLUME_LABEL:
                yield _tar_entry(tar, member, stream)
            stream.seek(tar.offset)  # over what was not read of it
            if tar.pax_headers.keys() <= _HARMLESS:
                yield from _read_plain_entries(tar, stream)
            member = _next_member(tar, stream)
        if marked_end and stream.total <= tar.offset:
            raise ArchiveDamaged("no end marker")


def _next_member(tar: tarfile.TarFile, stream: MeteredStream) -> tarfile.TarInfo | None:
    """The next entry, its headers read by tarfile."""
    stream.allowance = HEADER_LIMIT
    member = tar.next()
    stream.allowance = None
    tar.members.clear()  # type: ignore[attr-defined]  # or a million entries stay in memory
    return member


def _read_plain_entries(tar: tarfile.TarFile, stream: MeteredStream) -> Iterator[ArchiveEntry]:
    """The next entries, for as long as their headers need no tarfile."""
    while header := read_plain(stream.peek(BLOCK)):
        content = tar.offset + BLOCK
        stream.seek(content)
        tar.offset = content + header.padded
        read = _Content(stream, header.size).read if header.kind is EntryKind.FILE else None
        yield ArchiveEntry(
            name=header.name, kind=header.kind, mode=header.mode, mtime=header.mtime,
            target=header.target, read=read,
        )  # fmt: skip
        stream.seek(tar.offset)


def _tar_entry(
    tar: tarfile.TarFile, member: tarfile.TarInfo, stream: MeteredStream
) -> ArchiveEntry:
    kind = _TAR_KINDS.get(member.type, EntryKind.OTHER)
    read = None
    if kind is EntryKind.FILE:
        sparse = tar.extractfile(member) if member.issparse() else None
        read = sparse.read if sparse else _Content(stream, member.size).read
    return ArchiveEntry(
        name=member.name, kind=kind, mode=member.mode & 0o7777, mtime=int(member.mtime),
        target=member.linkname, read=read,
    )  # fmt: skip


class _Content:
    """A file's content, straight from the stream."""

    def __init__(self, stream: MeteredStream, size: int) -> None:
        self._stream, self._left = stream, size

    def read(self, size: int) -> bytes | memoryview:
        if not self._left:
            return b""
        data = self._stream.read_piece(min(size, self._left))
        if not data:
            raise ArchiveDamaged("unexpected end of data")
        self._left -= len(data)
        return data


def read_zip(path: Path) -> Iterator[ArchiveEntry]:
    """Give the entries of a zip; Unix modes and symbolic links are kept, times are taken as UTC.

    Raises:
        ArchiveDamaged: an entry is encrypted, or a method is unknown.
        zipfile.BadZipFile: damaged.
    """
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            mode = member.external_attr >> 16
            if member.flag_bits & 0x1:
                raise ArchiveDamaged(f"the entry {member.filename!r} is encrypted")
            try:
                content = archive.open(member)
            except NotImplementedError as unknown:
                raise ArchiveDamaged(f"the entry {member.filename!r}: {unknown}") from unknown
            with content:
                kind, target = EntryKind.FILE, ""
                if member.is_dir():
                    kind = EntryKind.FOLDER
                elif stat.S_ISLNK(mode):
                    kind = EntryKind.SYMLINK
                    target = content.read(_LONGEST_TARGET).decode("utf-8", "surrogateescape")
                elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    kind = EntryKind.OTHER
                yield ArchiveEntry(
                    name=member.filename, kind=kind, mode=stat.S_IMODE(mode) or 0o644,
                    mtime=calendar.timegm((*member.date_time, 0, 0, 0)), target=target,
                    read=content.read,
                )  # fmt: skip


def read_folder(folder: Path, *, without: Collection[str] = ()) -> Iterator[ArchiveEntry]:
    """Give what is below a folder, sorted by name, as if it were an archive; links stay links.

    Args:
        folder: the folder.
        without: names at its top that are passed over.
    """
    waiting = [""]
    while waiting:
        name = waiting.pop()
        path = folder / name
        status = path.lstat()
        kind, target, stream = _kind_of(status.st_mode), "", None
        if kind is EntryKind.SYMLINK:
            target = os.readlink(path)  # noqa: PTH115 - Path would tidy the text up
        elif kind is EntryKind.FOLDER:
            children = sorted(os.listdir(path), reverse=True)  # noqa: PTH208 - names only
            if not name:
                children = [child for child in children if child not in without]
            waiting.extend(f"{name}/{child}" if name else child for child in children)
        elif kind is EntryKind.FILE:
            stream = path.open("rb")
        try:
            if name:
                yield ArchiveEntry(
                    name=name, kind=kind, mode=stat.S_IMODE(status.st_mode),
                    mtime=int(status.st_mtime), target=target,
                    read=stream.read if stream is not None else None,
                )  # fmt: skip
        finally:
            if stream is not None:
                stream.close()


def _kind_of(mode: int) -> EntryKind:
    for test, kind in (
        (stat.S_ISREG, EntryKind.FILE),
        (stat.S_ISDIR, EntryKind.FOLDER),
        (stat.S_ISLNK, EntryKind.SYMLINK),
        (stat.S_ISFIFO, EntryKind.FIFO),
    ):
        if test(mode):
            return kind
    return EntryKind.DEVICE
