"""Archives of artifacts: unpacked without trust, and verified.

An archive holds one folder, which is the artifact; its own name means nothing (Nerves: tar
``--strip-components=1``). Links of a sysroot may lead anywhere, since a sysroot is no root of this
host; but nothing is ever written through one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lapstrake.artifact.archives.plain import BadArchiveError, damages, open_plain
from lapstrake.errors import ArtifactError
from lapstrake.formats.archive_entry import ArchiveEntry, EntryKind
from lapstrake.host.files import disk_error
from lapstrake.source.archive_tree import RefusedEntry
from lapstrake.source.readers import MeteredStream, read_tar
from lapstrake.source.unpack import OUT_OF_DISK
from lapstrake.source.writer import TreeWriter

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much an archive may become.

    Attributes:
        size: bytes of content.
        entries: how many.
        ratio: how many times its own size; judged beyond `ratio_from` bytes.
        ratio_from: bytes that are never too many for a small archive.
    """

    size: int = 256 << 30
    entries: int = 5_000_000
    ratio: int = 1000
    ratio_from: int = 1 << 30

    def limit(self, archive_size: int) -> int:
        """Bytes that the content of an archive of this size may have."""
        return min(self.size, max(self.ratio_from, self.ratio * archive_size))


def unpack_archive(archive: Path, target: Path, *, bounds: Bounds | None = None) -> None:
    """Unpack what is in an archive's only folder.

    Owners are ours, set-id bits and others' right to write are not kept.

    Args:
        archive: ``tar`` compressed with gzip, xz or zstd, told by its bytes and not by its name.
        target: an empty folder that nobody else writes to; what is in it after an error is the
            caller's to remove.
        bounds: how much it may become.

    Raises:
        BadArchiveError: it is damaged, hostile, too large, or holds no folder.
        StoreError: the disk is full.
    """
    bounds = bounds or Bounds()
    with _said(archive):
        limit = bounds.limit(archive.stat().st_size)
        writer = TreeWriter(target, limit=limit, inside_only=False, modes=True)
        written = 0
        tops: set[str] = set()
        for count, entry in enumerate(_entries(archive, limit), start=1):
            if count > bounds.entries:
                raise RefusedEntry(f"there are more than {bounds.entries} entries")
            try:
                inner = _stripped(entry, tops)
                if inner is not None:
                    writer.write(inner)
                    written += 1
            except RefusedEntry as refused:
                raise RefusedEntry(f"entry {entry.name!r}: {refused}") from refused
        writer.finish()
        if not written:
            raise RefusedEntry("it holds nothing but an empty folder")


def verify_archive(archive: Path, *, sha256: str = "", bounds: Bounds | None = None) -> None:
    """Read an archive to its end.

    Args:
        archive: the file.
        sha256: what its bytes' SHA-256 must be, if that is known.
        bounds: how much it may hold.

    Raises:
        BadArchiveError: it is empty, cut short, damaged, of another kind, too large, or not what
            was expected.
    """
    bounds = bounds or Bounds()
    with _said(archive):
        if sha256:
            compare_digest(archive, sha256)
        with open_plain(archive) as plain:
            _read_out(plain, bounds.limit(archive.stat().st_size))


def compare_digest(archive: Path, sha256: str) -> None:
    """Compare an archive's bytes with what they must be.

    Raises:
        BadArchiveError: they are something else.
    """
    with archive.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != sha256.lower():
        raise BadArchiveError(
            f"{archive} is not what it should be",
            details=f"SHA-256 expected: {sha256.lower()}\nSHA-256 found:    {actual}",
            resolution="Somebody changed the archive, or the digest that is expected is old.",
        )


def _entries(archive: Path, limit: int) -> Iterator[ArchiveEntry]:
    """The entries of an archive, read to the end of its compression: there the checksum is."""
    with open_plain(archive) as plain:
        yield from read_tar(MeteredStream(plain), marked_end=True)
        _read_out(plain, limit)


def _read_out(stream: BinaryIO, limit: int) -> None:
    """Read what is left of a stream.

    Raises:
        RefusedEntry: that is more than an archive may hold.
    """
    while piece := stream.read(_PIECE):
        limit -= len(piece)
        if limit < 0:
            raise RefusedEntry("it holds more than an archive of its size may")


def _stripped(entry: ArchiveEntry, tops: set[str]) -> ArchiveEntry | None:
    """An entry as it is in the archive's folder; ``None`` for the folder itself.

    Args:
        entry: as it is in the archive.
        tops: the folder's name, once it is known.

    Raises:
        RefusedEntry: it is in no folder, or in another one.
    """
    top, _, name = entry.name.partition("/")
    if top in ("", ".."):
        raise RefusedEntry("it leads outside")
    if not name and entry.kind is not EntryKind.FOLDER:
        raise RefusedEntry("it is in no folder, so the archive is flat")
    tops.add(top)
    if len(tops) > 1:
        raise RefusedEntry(f"it is beside {min(tops - {top})!r}, so the archive is flat")
    if not name:
        return None
    target = entry.target
    if entry.kind is EntryKind.HARD_LINK and not target.startswith("/"):
        target = target.partition("/")[2]
    return ArchiveEntry(  # dataclasses.replace takes ten times as long
        name=name, kind=entry.kind, mode=entry.mode, mtime=entry.mtime, target=target,
        read=entry.read,
    )  # fmt: skip


@contextmanager
def _said(archive: Path) -> Iterator[None]:
    """Turn what is found in an archive into errors for people."""
    try:
        yield
    except RefusedEntry as refused:
        raise BadArchiveError(
            f"{archive}: {refused}",
            resolution="Nothing of it is used. An archive holds one folder, which is the artifact.",
        ) from refused
    except OSError as refused:
        if refused.errno in OUT_OF_DISK:
            raise disk_error(refused, doing=f"unpacking {archive}") from refused
        if refused.errno is not None:
            raise ArtifactError(f"{archive}: {refused.strerror}") from refused
        raise _damaged(archive, refused) from refused
    except damages() as damage:
        raise _damaged(archive, damage) from damage


def _damaged(archive: Path, damage: Exception) -> BadArchiveError:
    return BadArchiveError(
        f"{archive} is damaged or cut short",
        details=str(damage),
        resolution="Remove it, and get it again.",
    )
