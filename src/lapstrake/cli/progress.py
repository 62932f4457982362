"""How people follow work: one line of a terminal that changes, or plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import termios
import threading
import time
from collections import Counter

from lapstrake.cli.output import (
    Output,
    Verbosity,
    cell_width,
    on_print,
    printable,
    printed,
    unstyled,
    write_stderr,
)
from lapstrake.progress import Progress

_PERIOD = 0.12
_HEADLINE = b">>> "
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def open_progress(output: Output) -> OpenProgress:
    """Follow work as loud as the user wants it: a line on a terminal, else plain lines.

    ``-q`` leaves warnings only, ``-v`` shows everything on a terminal too.
    """
    if output.verbosity == Verbosity.NORMAL and sys.stderr.isatty():
        return LineProgress(output)
    return PlainProgress(output)


class OpenProgress(Progress):
    """A `Progress` that must be told when it is over."""

    def close(self) -> None:
        """Nothing more comes: wipe what should not stay."""


class PlainProgress(OpenProgress):
    """Headlines as ``>>> text``, and all output as it comes."""

    def __init__(self, output: Output) -> None:
        self._told = output
        self._repeated: Counter[bytes] = Counter()
        self._rest = b""

    def headline(self, text: str) -> None:
        """Print it."""
        self._repeated[text.encode()] += 1
        self._told.say(f">>> {printable(text)}")

    def output(self, data: bytes) -> None:
        """Print it line by line, but for headlines that were announced already."""
        if self._told.verbosity == Verbosity.QUIET:
            return
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        lines = (whole + newline).splitlines(keepends=True)
        write_stderr("".join(self._shown(line) for line in lines))

    def warning(self, text: str) -> None:
        """Print it, whatever the verbosity."""
        self._told.warn(printable(text))

    def rest(self) -> None:
        """Print nothing more by itself: it never does."""

    def close(self) -> None:
        """Print a last line that has no end."""
        if self._rest:
            self.output(b"\n")

    def _shown(self, line: bytes) -> str:
        """The line; empty when its headline was told just before."""
        headline = line.removeprefix(_HEADLINE).strip()
        if line.startswith(_HEADLINE) and self._repeated[headline] > 0:
            self._repeated[headline] -= 1
            return ""
        return printed(line.decode("utf-8", "replace"), sys.stderr)


class LineProgress(OpenProgress):
    """One line with the headline, its elapsed time and the last line of output.

    A thread paints it now and then, so that short work shows nothing and output costs nothing.
    """

    def __init__(self, output: Output) -> None:
        self._told = output
        self._headline, self._last = "", ""
        self._since = time.monotonic()
        self._painted = False
        self._lock = threading.RLock()  # a signal's handler may print while we do
        self._over = threading.Event()
        self._forget = on_print(self._wipe)
        self._painter = threading.Thread(target=self._paint_often, daemon=True)
        self._painter.start()

    def headline(self, text: str) -> None:
        """Show it instead of the former one."""
        self._wipe()
        self._headline, self._last, self._since = text, "", time.monotonic()

    def output(self, data: bytes) -> None:
        """Remember its last line."""
        lines = [line for line in data.splitlines() if line.strip()]
        if lines and not lines[-1].startswith(_HEADLINE):
            self._last = unstyled(lines[-1].decode("utf-8", "replace")).strip()

    def rest(self) -> None:
        """Wipe the line, and paint no other one."""
        with self._lock:
            self._headline = ""
            self._wipe()

    def warning(self, text: str) -> None:
        """Print it above the line."""
        self._told.warn(printable(text))

    def close(self) -> None:
        """Stop, and leave nothing behind."""
        self._over.set()
        self._painter.join()
        self._wipe()
        self._forget()

    def _paint_often(self) -> None:
        frame = 0
        while not self._over.wait(_PERIOD):
            frame += 1
            if self._headline and not _terminal_is_lent():
                self._paint(_FRAMES[frame % len(_FRAMES)])

    def _paint(self, spinner: str) -> None:
        text = f"{spinner} {self._headline}  {_elapsed(time.monotonic() - self._since)}"
        if self._last:
            text += f"  {self._last}"
        with self._lock:
            if not self._headline:
                return  # it came to rest meanwhile
            write_stderr(f"\r\x1b[K{_cut(printable(text), _columns())}")
            self._painted = True

    def _wipe(self) -> None:
        with self._lock:
            if self._painted:
                write_stderr("\r\x1b[K")
            self._painted = False


def _terminal_is_lent() -> bool:
    """Whether a shell or a question has the terminal: it is raw, or does not echo, then."""
    try:
        flags: int = termios.tcgetattr(sys.stderr.fileno())[3]
    except termios.error:
        return False
    return not flags & termios.ICANON or not flags & termios.ECHO


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80


def _cut(text: str, columns: int) -> str:
    """As much of a text as fits one row, even when the terminal echoes ``^C`` after it."""
    room = columns - 3
    kept = text.replace("\n", " ").replace("\t", " ")[:room]
    while cell_width(kept) > room:
        kept = kept[:-1]
    return kept


def _elapsed(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02} min" if minutes else f"{rest} s"
