"""A build's log: kept up to a bound, headlines picked out, secrets blotted out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from lapstrake.host import files
from lapstrake.progress import Progress

HEADLINE = b">>> "
MOST_BYTES = 64 << 20
"""How many bytes of output a log keeps; of what follows, the last lines."""

_TAIL_LINES = 15
_LONGEST_LINE = 1 << 16
_LONGEST_DETAIL = 500  # of an error's details, a line
_BLOT = b"***"
_LEAST_SECRET = 4  # shorter ones would blot out half of the log


class BuildLog:
    """The log file of one build, and whoever listens besides.

    Output is passed on line by line: a secret cut in two by a read would not be seen.

    Args:
        path: the file.
        listener: hears everything that is logged.
        most: bytes of output that are kept; a flood shall not fill the disk.
    """

    def __init__(self, path: Path, listener: Progress, *, most: int = MOST_BYTES) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)
        self._listener = listener
        self._secrets: tuple[bytes, ...] = ()
        self._rest = b""
        self._room, self._dropped = most, 0
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            self._flush_rest()
            self._close_gap()

    @property
    def tail(self) -> str:
        """The last lines, for an error's details."""
        lines = [line.decode("utf-8", "replace") for line in self._tail]
        cut = [f"{line[:_LONGEST_DETAIL]}..." if line[_LONGEST_DETAIL:] else line for line in lines]
        return "\n".join(cut)

    def hide(self, secrets: Iterable[bytes]) -> None:
        """Blot these out of all that follows, wherever a line holds them."""
        texts = [text for secret in secrets for text in secret.splitlines()]
        self._secrets += tuple(text for text in texts if len(text) >= _LEAST_SECRET)

    def headline(self, text: str) -> None:
        """A step of ours has begun."""
        self._write(HEADLINE + text.encode() + b"\n")
        self._listener.headline(text)

    def rest(self) -> None:
        """The terminal is somebody else's."""
        self._listener.rest()

    def warning(self, text: str) -> None:
        """Something to know."""
        self._write(b"warning: " + text.encode() + b"\n")
        self._listener.warning(text)

    def note(self, text: str) -> None:
        """A line for the file alone: times, inputs, the end."""
        self._flush_rest()
        self._close_gap()
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
        self._write(f"# {stamp} {text}\n".encode())

    def output(self, data: bytes) -> None:
        """A piece of a program's output."""
        whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
        if newline:
            self._lines(whole + newline)
        if len(self._rest) > _LONGEST_LINE:  # a progress bar without line ends
            self._flush_rest(keep=max(map(len, self._secrets), default=0))

    def _flush_rest(self, *, keep: int = 0) -> None:
        """Write what has no line end yet, but for as much as could be a secret's beginning."""
        data = self._blot(self._rest)
        whole, self._rest = data[: len(data) - keep], data[len(data) - keep :]
        if whole:
            self._lines(whole)

    def _blot(self, data: bytes) -> bytes:
        for secret in self._secrets:
            data = data.replace(secret, _BLOT)
        return data

    def _lines(self, data: bytes) -> None:
        data = self._blot(data)
        self._keep(data)
        told: list[bytes] = []
        for line in data.splitlines(keepends=True):
            text = line.rstrip(b"\r\n")
            self._tail.append(text)
            if text.startswith(HEADLINE):  # what came before it is heard before it
                self._listener.output(b"".join(told))
                told.clear()
                self._listener.headline(text.removeprefix(HEADLINE).decode("utf-8", "replace"))
            told.append(line)
        self._listener.output(b"".join(told))

    def _keep(self, data: bytes) -> None:
        """Write output while there is room, whole lines only."""
        if not self._dropped and len(data) <= self._room:
            self._room -= len(data)
            self._write(data)
            return
        if not self._dropped:
            self._write(b"# the log is cut here: the build printed too much\n")
        self._dropped += len(data)

    def _close_gap(self) -> None:
        """Say what was left out, and write the last lines, which tell most."""
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            self._write(f"# {dropped} bytes were left out; the last lines:\n".encode())
            self._write(b"\n".join(self._tail) + b"\n")

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) :]
        except OSError as refused:
            raise files.disk_error(refused, doing=f"writing the log {self.path}") from refused
