"""Stopping in order: what the server builds itself may end while it still answers."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType

import uvicorn


class Stopping:
    """Whether the server has been told to stop; a check of readiness."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def __call__(self) -> str:
        """Say so; empty while it has not."""
        return "the server stops" if self._told.is_set() else ""

    def tell(self) -> None:
        """Tell it."""
        self._told.set()


class PatientServer(uvicorn.Server):
    """A server that ends what runs beside it before it stops to answer.

    The second signal makes it stop at once: nothing is lost, builds are taken up again.

    Args:
        config: of uvicorn.
        end: ends what runs beside, in a thread of its own.
    """

    def __init__(self, config: uvicorn.Config, end: Callable[[], None]) -> None:
        super().__init__(config)
        self._end = end
        self._ending: threading.Thread | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal has come."""
        if self._ending is not None or self.should_exit:
            self.should_exit = self.force_exit = True
            return
        self._ending = threading.Thread(target=self._stop, args=(sig, frame), daemon=True)
        self._ending.start()

    def _stop(self, sig: int, frame: FrameType | None) -> None:
        try:
            self._end()
        finally:
            super().handle_exit(signal.Signals(sig), frame)
