"""Reading a build's output as it comes: whole lines, and which of them are headlines."""

from __future__ import annotations

import re
from collections.abc import Iterator

_ENDS = re.compile(rb"[\r\n]")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\([A-Z0-9]")  # CSI sequences, character sets
_LONGEST_LINE = 1 << 16
_MARK = ">>>"


class Lines:
    """Pieces of output, as they are read, made lines: text without colours and line ends.

    A carriage return ends a line, too, as programs that paint their progress use it.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        """Take a piece; gives the lines that ended in it, but for empty ones.

        A line that does not end within 64 KiB is cut.
        """
        *ended, self._rest = _ENDS.split(self._rest + data)
        if len(self._rest) > _LONGEST_LINE:
            ended.append(self._rest)
            self._rest = b""
        return (_plain(line) for line in ended if line.strip())

    def end(self) -> Iterator[str]:
        """The last line, if nothing ended it."""
        return self.feed(b"\n")


def headline_of(line: str) -> str:
    """What a line announces: what is behind the ``>>>`` that it begins with; else empty.

    Buildroot writes these in inverse video; `Lines` has taken that away.
    """
    return line.removeprefix(_MARK).strip() if line.startswith(_MARK) else ""


def _plain(line: bytes) -> str:
    return _COLOURS.sub("", line.decode("utf-8", "replace"))
