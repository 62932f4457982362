"""Headers of tar that have no surprises, read quickly.

``tarfile`` reads every header there is, and takes 60 µs for each. Nearly all headers are plain
files, folders and links of ustar (pax(1), POSIX.1-2017, "ustar Interchange Format") or of GNU tar,
whose fields are where both have them. Those are read here; whatever is unusual about a header makes
it none, and is ``tarfile``'s to judge.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from lapstrake.formats.archive_entry import EntryKind

BLOCK = 512
"""Bytes of a header; contents are padded to a multiple."""

_FIELDS = struct.Struct("100s8s8s8s12s12s8sc100s8s32s32s8s8s155s12s")
_KINDS = {
    b"0": EntryKind.FILE,
    b"5": EntryKind.FOLDER,
    b"1": EntryKind.HARD_LINK,
    b"2": EntryKind.SYMLINK,
}
_USTAR, _GNU = b"ustar\x0000", b"ustar  \0"


class PlainHeader(NamedTuple):
    """What a header says of an entry; `size` is in bytes, `mtime` in seconds since 1970."""

    name: str
    kind: EntryKind
    mode: int
    mtime: int
    size: int
    target: str

    @property
    def padded(self) -> int:
        """Bytes that the content takes in the archive."""
        return -(-self.size // BLOCK) * BLOCK


def read_plain(block: bytes) -> PlainHeader | None:
    """Read a block as the header of a file, folder or link; ``None`` if it is anything else."""
    if len(block) != BLOCK:
        return None
    fields = _FIELDS.unpack(block)
    kind, magic, prefix = _KINDS.get(fields[7]), fields[9], _text(fields[14])
    if kind is None or magic not in (_USTAR, _GNU) or (prefix and magic == _GNU):
        return None
    mode, size, mtime, told = (_number(fields[index]) for index in (1, 4, 5, 6))
    name = _text(fields[0])
    if mode is None or size is None or mtime is None or not name:
        return None
    if told != sum(block) - sum(fields[6]) + 256:  # the sum's own field counts as eight spaces
        return None
    if kind is EntryKind.FOLDER:
        name = name.rstrip("/")
    if size and kind is not EntryKind.FILE:
        return None
    if prefix:
        name = f"{prefix}/{name}"
    return PlainHeader(name, kind, mode & 0o7777, mtime, size, _text(fields[8]))


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes) -> int | None:
    """An octal number; ``None`` when it is written in another way."""
    digits = field.rstrip(b" \0").lstrip(b" ")
    try:
        return int(digits, 8) if digits.isdigit() else None
    except ValueError:
        return None
