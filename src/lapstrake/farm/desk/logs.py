"""The attempts' logs: files that only grow, and who hears of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from lapstrake.farm.problems import TooLarge, WrongState

MOST = 256 << 20
"""Bytes of one log; more is refused, and the build goes on."""


class Logs:
    """The logs' folder: ``TASK/ATTEMPT.log``, and ``TASK/ATTEMPT.samples`` beside.

    Args:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._listeners: dict[int, list[Callable[[int, int], None]]] = {}

    def path(self, task: int, attempt: int, kind: str = "log") -> Path:
        """Where an attempt's log is, or will be."""
        return self.folder / str(task) / f"{attempt}.{kind}"

    def changed(self, task: int, attempt: int) -> float:
        """When something was last added to a log, seconds since 1970; 0 when there is none."""
        try:
            return self.path(task, attempt).stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def size(self, task: int, attempt: int, kind: str = "log") -> int:
        """Bytes of a log so far."""
        try:
            return self.path(task, attempt, kind).stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, task: int, attempt: int, offset: int, data: bytes) -> int:
        """Add to a log; bytes that it has already are passed over.

        Args:
            task: which.
            attempt: of it.
            offset: where the bytes begin in the log.
            data: whole lines or not.

        Returns:
            the log's size afterwards.

        Raises:
            WrongState: there would be a gap; the fields have the log's ``size``.
            TooLarge: the log is full; likewise.
        """
        path = self.path(task, attempt)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                size = os.fstat(descriptor).st_size
                if not 0 <= offset <= size:
                    raise WrongState(
                        f"the log has {size} bytes, so it cannot go on at {offset}",
                        resolution="Go on where it ends.",
                        fields={"size": size},
                    )
                new = data[size - offset :]
                if size + len(new) > MOST:
                    raise TooLarge(f"a log has at most {MOST} bytes", fields={"size": size})
                _write_all(descriptor, new, size)
            finally:
                os.close(descriptor)
            listeners = tuple(self._listeners.get(task, ())) if new else ()
        for listener in listeners:
            listener(attempt, size + len(new))
        return size + len(new)

    def listen(self, task: int, callback: Callable[[int, int], None]) -> Callable[[], None]:
        """Hear of each growth: attempt and size, in the thread that did it; gives what ends it."""
        with self._lock:
            self._listeners.setdefault(task, []).append(callback)

        def end() -> None:
            with self._lock:
                callbacks = self._listeners.get(task, [])
                if callback in callbacks:
                    callbacks.remove(callback)
                if not callbacks:
                    self._listeners.pop(task, None)

        return end


def _write_all(descriptor: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written
