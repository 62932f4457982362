"""The server's own builder: a worker like all others, as a child process."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence

from lapstrake.farm.monitor.ready import without_notices
from lapstrake.farm.values.scopes import TOKEN_VARIABLE
from lapstrake.host.children import ChildEvent, Children

NAME = "server"
"""What the builder is called on the farm."""

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
        words: more options of ``lapstrake worker``.
        patience: seconds in which running builds may end once it is told to stop; what has not
            ended then is given back, to be built again.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        slots: int,
        options: Sequence[str] = (),
        words: Sequence[str] = (),
        patience: float,
    ) -> None:
        worker = ("worker", "--embedded", "--server", url, "--slots", str(slots), "--name", NAME)
        self._argv = (sys.executable, "-m", "lapstrake", *options, *worker, *words)
        self._env = {**without_notices(os.environ), TOKEN_VARIABLE: token}
        self._patience = patience
        self._stopping = threading.Event()
        # The worker ends with the thread that has started it: this one lives as long.
        self._thread = threading.Thread(target=self._keep, name="builder", daemon=True)

    def start(self) -> None:
        """Start it."""
        self._thread.start()

    def stop(self) -> None:
        """Tell it to end, and wait until it has; it may still ask the server meanwhile."""
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
        """One life of the worker; gives its exit status, ``None`` when it has to be ended."""
        with Children() as children:
            children.start("builder", self._argv, env=self._env)
            while not self._stopping.is_set():
                for event in children.events(timeout=_LOOK_SECONDS):
                    if event.status is not None:
                        return event.status
                    _pass_on(event)
            children.signal(signal.SIGTERM)
            end = time.monotonic() + self._patience
            while children and time.monotonic() < end:
                for event in children.events(timeout=_LOOK_SECONDS):
                    _pass_on(event)
        return None


def _pass_on(event: ChildEvent) -> None:
    """What it says is told in the form that we use, too."""
    if event.line:
        sys.stderr.write(event.line.decode("utf-8", "replace") + "\n")
