"""The server's own builder: a worker like all others, as a child process."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence

from lapstrake.host.children import Children

_LOG = logging.getLogger("lapstrake.farm.builder")
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LOOK_SECONDS = 0.5


class Builder:
    """Keeps the worker running until it is told to stop.

    Args:
        url: the server's address on this machine.
        token: a worker's.
        slots: builds at a time.
        options: global options of the program, so that it has the server's configuration.
    """

    def __init__(self, url: str, token: str, *, slots: int, options: Sequence[str] = ()) -> None:
        words = ("worker", "--embedded", "--server", url, "--slots", str(slots))
        self._argv = (sys.executable, "-m", "lapstrake", *options, *words)
        self._env = {**os.environ, "LAPSTRAKE_TOKEN": token}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="builder", daemon=True)

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end, and wait until it has."""
        self._stopping.set()
        self._thread.join()

    def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            begun = time.monotonic()
            status = self._run()
            if self._stopping.is_set():
                return
            pause = _FIRST_PAUSE if time.monotonic() - begun > _LONGEST_PAUSE else pause * 2
            _LOG.warning("the builder ended (%s); it is started again", status)
            self._stopping.wait(min(pause, _LONGEST_PAUSE))

    def _run(self) -> int | None:
        with Children() as children:
            children.start("builder", self._argv, env=self._env)
            while children and not self._stopping.is_set():
                for event in children.events(timeout=_LOOK_SECONDS):
                    if event.status is not None:
                        return event.status
                    _LOG.info("%s", event.line.decode("utf-8", "replace"))
        return None
