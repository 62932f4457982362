"""One entry of an archive as a value, whatever the archive's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry is."""

    FOLDER = "folder"
    FILE = "file"
    SYMLINK = "symbolic link"
    HARD_LINK = "hard link"
    DEVICE = "device"
    FIFO = "fifo"
    OTHER = "entry of an unknown type"


class ArchiveDamaged(ValueError):  # noqa: N818 - says what is the matter
    """An archive is cut short or its bytes make no sense; the text says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """One entry, as the archive says it: nothing here is trusted.

    Attributes:
        name: its path, with ``/``; bytes that are no UTF-8 are surrogates (``os.fsencode``).
        kind: what it is.
        mode: permission bits, among them set-id bits if the archive has them.
        mtime: seconds since 1970.
        target: what a link points to; for a hard link another entry's name.
        read: gives the next bytes of a file's content, at most so many, empty at the end; only
            valid until the next entry is taken.
    """

    name: str
    kind: EntryKind
    mode: int = 0o644
    mtime: int = 0
    target: str = ""
    read: Callable[[int], bytes | memoryview] | None = None
