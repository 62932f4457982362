"""A build's log: all output in a file; headlines, and signs of life, for who watches."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from lapstrake.artifact.builders.headlines import Lines, headline_of
from lapstrake.artifact.builders.hints import hint_of
from lapstrake.errors import BuildError
from lapstrake.host.files import disk_error
from lapstrake.host.usage import Ending, Outcome
from lapstrake.progress import HearsAll, Progress

QUIET_SECONDS = 10.0
"""After so long without a headline, the last line is shown as a sign of life."""
_SHOWN_LINES = 16
_SEARCHED_LINES = 64
_WIDEST_LINE = 500


class BuildLog:
    """What the steps of a build say; made by `open_log`.

    Args:
        path: the file.
        progress: hears headlines and signs of life.
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self.path = path
        self._progress = progress
        self._whole = progress.whole_output if isinstance(progress, HearsAll) else None
        self._lines = Lines()
        self._last: deque[str] = deque(maxlen=_SEARCHED_LINES)
        self._shown = ""  # the last line that was a sign of life
        self._told = self._began = time.monotonic()
        self._lock = threading.Lock()  # the signs of life come from another thread
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _opened(path)
        except OSError as refused:
            raise disk_error(refused, doing=f"writing {path}") from refused

    def output(self, data: bytes) -> None:
        """Take a piece of output, as it comes.

        Raises:
            StoreError: the disk is full.
        """
        try:
            self._file.write(data)
        except OSError as refused:
            raise disk_error(refused, doing=f"writing {self.path}") from refused
        if self._whole is not None:
            self._whole(data)
        with self._lock:
            for line in self._lines.feed(data):
                self._take(line)

    def failed(self, what: str, outcome: Outcome) -> BuildError:
        """The error of a step that failed: the last lines, where the rest is, and advice.

        Args:
            what: of whom and what, such as ``hello 1.0: the step build``.
            outcome: how it ended.
        """
        last = self._ended()
        ended = f"ended with status {outcome.status}"
        if outcome.ending is not Ending.EXITED:
            ended = f"was killed: {outcome.ending}"
        place = f"The whole log is {self.path}."
        hint = hint_of([*last, ended])
        return BuildError(
            f"{what} {ended}", details=self.tail, resolution=f"{hint} {place}".strip()
        )

    @property
    def tail(self) -> str:
        """The last lines, for people."""
        return "\n".join(line[:_WIDEST_LINE] for line in self._ended()[-_SHOWN_LINES:])

    def tell_life(self) -> None:
        """Show the last line, if there was no headline for long."""
        if self._whole is not None:
            return
        with self._lock:
            now = time.monotonic()
            if now - self._told >= QUIET_SECONDS:
                last = self._last[-1] if self._last else ""
                news = last if last != self._shown else "..."
                self._progress.output(f"({now - self._began:.0f} s) {news}\n".encode())
                self._told, self._shown = now, last

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()

    def _ended(self) -> list[str]:
        """The last lines, once no more will come."""
        with self._lock:
            for line in self._lines.end():
                self._take(line)
            return list(self._last)

    def _take(self, line: str) -> None:
        self._last.append(line)
        if self._whole is None and (headline := headline_of(line)):
            self._progress.headline(headline)
            self._told = time.monotonic()


def _opened(path: Path) -> FileIO:
    """A new file; the folder is in the package, which may have brought a link in its place."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return FileIO(os.open(path, flags, 0o644), "wb")


@contextmanager
def open_log(path: Path, progress: Progress) -> Iterator[BuildLog]:
    """Begin a log anew, for as long as the block runs.

    Args:
        path: the file; its folder is made.
        progress: hears headlines, and a sign of life where none comes.

    Raises:
        StoreError: the file cannot be written.
    """
    log = BuildLog(path, progress)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(QUIET_SECONDS / 10):
            log.tell_life()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield log
    finally:
        over.set()
        watcher.join()
        log.close()
