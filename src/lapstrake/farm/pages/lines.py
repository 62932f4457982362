"""Lines of logs of any size: any window of them, and searching, without reading it all again."""

from __future__ import annotations

import re
import threading
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_BLOCK = 1 << 18
_MOST_BYTES = 1 << 22
"""Of one window, however long its lines are."""
_LONGEST = 1 << 16
_KEPT = 64
_SEARCH_SECONDS = 3.0
_SEARCH_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some lines of a log.

    Attributes:
        first: the number of the first line, from 1.
        lines: without their ends.
        total: lines of the whole log.
        end: where in the file the last whole line of the log ends: what comes begins there.
    """

    first: int
    lines: tuple[str, ...]
    total: int
    end: int

    @property
    def last(self) -> int:
        """The number of the last line."""
        return self.first + len(self.lines) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Hits:
    """Where something was found.

    Attributes:
        lines: numbers and texts of the lines.
        whole: whether the log was searched to its end, and all hits are there.
    """

    lines: tuple[tuple[int, str], ...]
    whole: bool


class LineIndex:
    """How many line ends lie before each block of a file that only grows."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._before = array("Q", [0])
        self._size = 0
        self._whole = 0
        self._lines = 0
        self._lock = threading.Lock()

    def window(self, first: int, count: int, *, over: bool) -> Window:
        """Lines from one on.

        Args:
            first: from 1; a negative number counts from the end, -1 is the last line.
            count: how many at most.
            over: nothing more comes, so that what has no line end yet is a line, too.
        """
        with self._lock:
            self._grow()
            loose = over and self._size > 0 and not self._ends_whole()
            total, size, end = self._lines + loose, self._size, self._whole
            first = max(total + 1 + first if first < 0 else first, 1)
            start, skip = self._block_of(first)
        if first > total:
            return Window(first=first, lines=(), total=total, end=end)
        count = min(count, total - first + 1)
        lines = self._read(count, start=start, skip=skip, size=size)
        return Window(first=first, lines=tuple(lines), total=total, end=end)

    def _grow(self) -> None:
        """Count what has been added; whole blocks are never read again."""
        with self._path.open("rb") as file:
            start = (len(self._before) - 1) * _BLOCK
            file.seek(start)
            while block := file.read(_BLOCK):
                self._lines = self._before[-1] + block.count(b"\n")
                self._size = start + len(block)
                self._whole = start + block.rfind(b"\n") + 1 if b"\n" in block else self._whole
                if len(block) < _BLOCK:
                    return
                self._before.append(self._lines)
                start += _BLOCK

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(self._size - 1)
            return file.read(1) == b"\n"

    def _block_of(self, line: int) -> tuple[int, int]:
        """Where the block begins that a line begins in, and how many line ends to skip there."""
        block = max(bisect_left(self._before, line) - 1, 0)
        return block * _BLOCK, line - 1 - self._before[block]

    def _read(self, count: int, *, start: int, skip: int, size: int) -> Iterator[str]:
        with self._path.open("rb") as file:
            file.seek(start)
            for _ in range(skip):
                file.readline()
            begin = file.tell()
            for _ in range(count):
                yield _line(file, size)
                if file.tell() - begin > _MOST_BYTES:
                    return


def _line(file: BinaryIO, size: int) -> str:
    """The next line, or the beginning of a very long one."""
    line = piece = file.readline(min(_LONGEST, size - file.tell()))
    while not piece.endswith(b"\n") and file.tell() < size:
        piece = file.readline(min(_BLOCK, size - file.tell()))
    return line.removesuffix(b"\n").decode("utf-8", "replace")


class LineIndexes:
    """The indexes of the logs that were looked at last."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[Path, LineIndex] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, path: Path) -> LineIndex:
        """The index of a file."""
        with self._lock:
            index = self._indexes.setdefault(path, LineIndex(path))
            self._indexes.move_to_end(path)
            while len(self._indexes) > _KEPT:
                self._indexes.popitem(last=False)
            return index


def search(path: Path, text: str, *, most: int) -> Hits:
    """Find the lines that have a text, in upper or lower case.

    Args:
        path: the log.
        text: what to look for, as it is.
        most: lines at most.
    """
    pattern = re.compile(re.escape(text.encode()), re.IGNORECASE)
    end = time.monotonic() + _SEARCH_SECONDS
    found: list[tuple[int, str]] = []
    for number, block in _blocks(path):
        for line, words in _hits(pattern, number, block):
            if len(found) == most:
                return Hits(lines=tuple(found), whole=False)
            found.append((line, words))
        if time.monotonic() > end:
            return Hits(lines=tuple(found), whole=False)
    return Hits(lines=tuple(found), whole=True)


def _blocks(path: Path) -> Iterator[tuple[int, bytes]]:
    """Pieces of whole lines, each with the number of its first one."""
    number, rest = 1, b""
    with path.open("rb") as file:
        while block := file.read(_SEARCH_BLOCK):
            cut = block.rfind(b"\n") + 1
            whole = rest + block[:cut] if cut else b""
            rest = block[cut:] if cut else rest + block
            yield number, whole
            number += whole.count(b"\n")
    yield number, rest


def _hits(pattern: re.Pattern[bytes], number: int, block: bytes) -> Iterator[tuple[int, str]]:
    """One per line."""
    counted = place = 0
    while found := pattern.search(block, place):
        start = block.rfind(b"\n", 0, found.start()) + 1
        end = block.find(b"\n", found.end())
        end = len(block) if end < 0 else end
        number += block.count(b"\n", counted, start)
        yield number, block[start:end].decode("utf-8", "replace")
        counted, place = start, end
