"""What people and scripts read: results on stdout, everything else on stderr.

Plain lines by default. rich is imported only for a spinner on a terminal.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TextIO

_GAP = "  "
_LEAST_WRAPPED = 16  # columns of a terminal; in fewer, a wrapped text is no easier to read
_BENEATH = "    "
_KEPT_CONTROLS = "\n\t"
_SGR = re.compile(r"\x1b\[[0-9;]*m")
_wipers: list[Callable[[], None]] = []


class Verbosity(IntEnum):
    """How much is told beside the result; ordered."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


class Style(StrEnum):
    """The few styles in use, as parameters of the terminal's SGR sequence (ECMA-48 8.3.117)."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    CYAN = "36"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """Where a command tells what it does, as loud as the user wants it."""

    verbosity: Verbosity = Verbosity.NORMAL

    def result(self, text: str) -> None:
        """Print what the command was asked for, to stdout."""
        _make_way()
        print(text)  # noqa: T201 - the one place for results

    def say(self, text: str) -> None:
        """Tell about progress; not with ``-q``."""
        if self.verbosity >= Verbosity.NORMAL:
            _to_stderr(text)

    def detail(self, text: str) -> None:
        """Tell what only ``-v`` asks for."""
        if self.verbosity >= Verbosity.VERBOSE:
            _to_stderr(paint(text, Style.DIM, stream=sys.stderr))

    def warn(self, text: str) -> None:
        """Warn, whatever the verbosity."""
        _to_stderr(f"{paint('warning:', Style.BOLD, Style.YELLOW, stream=sys.stderr)} {text}")

    @contextmanager
    def status(self, text: str) -> Iterator[Callable[[str], None]]:
        """Show that something takes long; the value changes what is shown.

        On a terminal it is one line that is wiped at the end; elsewhere the first text is a plain
        line and the changes are for ``-v``.
        """
        if self.verbosity == Verbosity.QUIET or not sys.stderr.isatty():
            self.say(text)
            yield self.detail
            return
        from rich.console import Console  # slow to import
        from rich.markup import escape

        with Console(stderr=True).status(escape(text)) as spinner:
            yield lambda changed: spinner.update(escape(changed))


def on_print(wipe: Callable[[], None]) -> Callable[[], None]:
    """Have a line of the terminal wiped before anything else is printed; gives what ends that."""
    _wipers.append(wipe)
    return lambda: _wipers.remove(wipe)


def wants_color(stream: TextIO) -> bool:
    """Whether a stream gets colours: NO_COLOR, then FORCE_COLOR, then whether it is a terminal.

    See https://no-color.org and https://force-color.org; ``--color`` sets these two, so that every
    library that we print with agrees.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def paint(text: str, *styles: Style, stream: TextIO) -> str:
    """Style a text, if the stream it is for gets colours."""
    if not styles or not wants_color(stream):
        return text
    return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"


def printable(text: str) -> str:
    """Show control characters instead of obeying them.

    What a build printed is not trusted: it must not move the cursor or retitle the terminal.
    """
    if text.isprintable():
        return text
    return "".join(
        char
        if char in _KEPT_CONTROLS or unicodedata.category(char) != "Cc"
        else f"\\x{ord(char):02x}"
        for char in text
    )


def printed(text: str, stream: TextIO) -> str:
    """What a build printed, for a terminal: its colours stay if ours do, nothing else is obeyed."""
    if "\x1b" not in text:
        return printable(text)
    plain = _SGR.split(text)
    if not wants_color(stream):
        return "".join(map(printable, plain))
    styles = [*_SGR.findall(text), "\x1b[0m"]
    return "".join(printable(part) + style for part, style in zip(plain, styles, strict=True))


def unstyled(text: str) -> str:
    """A text without colours and the like (ECMA-48's SGR)."""
    return _SGR.sub("", text) if "\x1b" in text else text


def table(
    rows: Sequence[Sequence[str]],
    *,
    header: Sequence[str] = (),
    right: Collection[int] = (),
) -> str:
    """Align columns with blanks.

    On a terminal, a last column that is too wide for it is wrapped, or put beneath its row where
    there is not even room for that.

    Args:
        rows: the cells; rows may differ in length.
        header: a first row.
        right: the columns (from 0) that are aligned on the right, such as sizes.

    Returns:
        lines joined by newlines, without trailing blanks; empty when there are no rows.
    """
    if not rows:
        return ""
    lines = [header, *rows] if header else list(rows)
    widths = [0] * max(len(line) for line in lines)
    for line in lines:
        for column, cell in enumerate(line):
            widths[column] = max(widths[column], cell_width(cell))
    left = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
    room = _columns() - left
    if room < widths[-1] and len(widths) > 1 and len(widths) - 1 not in right:
        lines = [part for line in lines for part in _wrap(line, len(widths), room)]
    return "\n".join(_align(line, widths, right) for line in lines)


def cell_width(text: str) -> int:
    """How many columns of a terminal a text takes (UAX #11: wide characters take two).

    What `paint` adds takes none.
    """
    text = unstyled(text)
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _columns() -> int:
    """How wide the results may be: the terminal's width, or without bounds elsewhere."""
    if not sys.stdout.isatty():
        return sys.maxsize
    import shutil  # slow to import

    return shutil.get_terminal_size().columns


def _wrap(line: Sequence[str], columns: int, room: int) -> list[Sequence[str]]:
    """A line as it fits, if its last cell is in the last column and needs more than its room."""
    if len(line) < columns or cell_width(line[-1]) <= room:
        return [line]
    if room < _LEAST_WRAPPED:
        beneath = _folded(line[-1], max(_columns() - len(_BENEATH), _LEAST_WRAPPED))
        return [line[:-1], *((_BENEATH + part,) for part in beneath)]
    first, *more = _folded(line[-1], room)
    return [(*line[:-1], first), *(("",) * (columns - 1) + (part,) for part in more)]


def _folded(text: str, room: int) -> list[str]:
    """A text in lines; a path that is too long stays one word, so that it can be copied whole."""
    import textwrap

    return textwrap.wrap(text, room, break_on_hyphens=False, break_long_words=False)


def _align(line: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    cells = []
    for column, cell in enumerate(line):
        blanks = " " * (widths[column] - cell_width(cell))
        cells.append(blanks + cell if column in right else cell + blanks)
    return _GAP.join(cells).rstrip()


def _make_way() -> None:
    for wipe in _wipers:
        wipe()


def write_stderr(text: str) -> None:
    """Write to stderr at once; a terminal that went away (EIO) is told by SIGHUP, not by this."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError as gone:
        if gone.errno != errno.EIO:
            raise


def _to_stderr(text: str) -> None:
    _make_way()
    write_stderr(f"{text}\n")
