"""A build's log: every byte kept, headlines picked out, secrets blotted out."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from lapstrake.progress import Progress

HEADLINE = b">>> "
_TAIL_LINES = 15
_LONGEST_LINE = 1 << 16
_BLOT = b"***"
_LEAST_SECRET = 4  # shorter ones would blot out half of the log


class BuildLog:
    """The log file of one build, and whoever listens besides.

    Output is passed on line by line: a secret cut in two by a read would not be seen.

    Args:
        path: the file.
        listener: hears everything that is logged.
    """

    def __init__(self, path: Path, listener: Progress) -> None:
        self.path = path
        self._file = path.open("ab")
        self._listener = listener
        self._secrets: tuple[bytes, ...] = ()
        self._rest = b""
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flush_rest()
        self._file.close()

    @property
    def tail(self) -> str:
        """The last lines, for an error's details."""
        return b"\n".join(self._tail).decode("utf-8", "replace")

    def hide(self, secrets: Iterable[bytes]) -> None:
        """Blot these out of all that follows, wherever a line holds them."""
        texts = [text for secret in secrets for text in secret.splitlines()]
        self._secrets += tuple(text for text in texts if len(text) >= _LEAST_SECRET)

    def headline(self, text: str) -> None:
        """A step of ours has begun."""
        self._write(HEADLINE + text.encode() + b"\n")
        self._listener.headline(text)

    def warning(self, text: str) -> None:
        """Something to know."""
        self._write(b"warning: " + text.encode() + b"\n")
        self._listener.warning(text)

    def note(self, text: str) -> None:
        """A line for the file alone: times, inputs, the end."""
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
        self._write(data)
        for line in data.splitlines():
            self._tail.append(line)
            if line.startswith(HEADLINE):
                self._listener.headline(line.removeprefix(HEADLINE).decode("utf-8", "replace"))
        self._listener.output(data)

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._file.flush()
