"""Giving up work that several threads are at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


class Cancellation:
    """A flag that several sources share, and what to do at once when it is raised."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: set[Callable[[], object]] = set()

    def cancel(self) -> None:
        """Raise the flag."""
        self._event.set()
        for callback in tuple(self._callbacks):
            with suppress(OSError):
                callback()

    def is_set(self) -> bool:
        """Whether it is raised."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep, but not longer than until it is raised."""
        self._event.wait(seconds)

    def call(self, callback: Callable[[], object]) -> None:
        """Have something called (in another thread) when it is raised."""
        self._callbacks.add(callback)
        if self._event.is_set():
            callback()

    @contextmanager
    def calling(self, callback: Callable[[], object]) -> Iterator[None]:
        """Have something called (in another thread) if it is raised while the block runs."""
        self.call(callback)
        try:
            yield
        finally:
            self._callbacks.discard(callback)
