"""Tars of plain files, written by hand: nothing in them tells who wrote them, or when (tar(5))."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterable
from typing import BinaryIO

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
"""What ends a tar."""


def add_member(tar: BinaryIO, name: str, size: int, pieces: Iterable[bytes]) -> None:
    """Append a file of known size.

    Args:
        tar: what is being written.
        name: the member's name.
        size: its bytes.
        pieces: they themselves.
    """
    tar.write(_header(name, size))
    for piece in pieces:
        tar.write(piece)
    tar.write(bytes(-size % BLOCK))


def add_growing_member(tar: BinaryIO, name: str, write: Callable[[BinaryIO], int]) -> None:
    """Append a file in one pass: its size is known, and written, afterwards.

    Args:
        tar: what is being written; it can be sought.
        name: the member's name.
        write: writes its bytes, and says how many they were.
    """
    begin = tar.tell()
    tar.write(bytes(BLOCK))
    size = write(tar)
    tar.write(bytes(-size % BLOCK))
    end = tar.tell()
    tar.seek(begin)
    tar.write(_header(name, size))
    tar.seek(end)


def _header(name: str, size: int) -> bytes:
    """The header of a plain file: root's, mode 644, time 0."""
    entry = tarfile.TarInfo(name)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)
