"""New runs are told to the engine soon after their tasks are kept: many together, by a thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

from lapstrake.farm.engine.base import Dispatch, Queued, RunId, Running
from lapstrake.farm.problems import Unavailable

_PAUSE = 0.05
"""Seconds between two times that the engine is told: what comes meanwhile is told together."""
_AGAIN = 1.0
_LOG = logging.getLogger("lapstrake.farm.engine")


class LaterDispatch:
    """`Dispatch` that gives new runs to another one soon; all else waits until that is done.

    So who submits waits for one commit only, ours. What a crash loses here is found at the next
    start, as rows of which the engine has no run.

    Args:
        dispatch: the engine itself; closed with this.
    """

    def __init__(self, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._waiting: deque[Queued] = deque()
        self._turn = threading.Lock()  # of those who tell the engine
        self._news = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def enqueue_all(self, runs: Sequence[Queued]) -> None:
        """Give it runs, soon, in this order."""
        self._waiting.extend(runs)
        self._news.set()

    def cancel(self, run: RunId) -> None:
        """Take a run back; see `Dispatch`."""
        self._told().cancel(run)

    def move(self, runs: Sequence[Queued]) -> None:
        """Give runs that nobody has taken another queue or priority; see `Dispatch`."""
        if runs:
            self._told().move(runs)

    def running(self) -> Sequence[Running]:
        """All that slots have taken and not ended; see `Dispatch`."""
        return self._dispatch.running()

    def give_back(self, runs: Iterable[Running]) -> None:
        """Let others take what lost slots had; see `Dispatch`."""
        self._dispatch.give_back(runs)

    def known(self, runs: Iterable[RunId]) -> frozenset[RunId]:
        """Those that the engine has heard of; see `Dispatch`."""
        return self._told().known(runs)

    def alive(self, runs: Iterable[RunId]) -> frozenset[RunId]:
        """Those that wait or that a slot has taken; see `Dispatch`."""
        return self._told().alive(runs)

    def prune(self, before: float) -> int:
        """Forget runs that ended before a time; see `Dispatch`."""
        return self._dispatch.prune(before)

    def close(self) -> None:
        """Tell what waits, if the engine can be reached, and let go of the database."""
        self._closing = True
        self._news.set()
        self._thread.join()
        self._dispatch.close()

    def _told(self) -> Dispatch:
        """The engine, which knows all that it was to be told.

        Raises:
            Unavailable: it cannot be reached; what it is to be told still waits.
        """
        with self._turn:
            runs = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                self._dispatch.enqueue_all(runs)
            except BaseException:
                self._waiting.extendleft(reversed(runs))
                raise
        return self._dispatch

    def _run(self) -> None:
        away = False
        while not self._closing:
            self._news.wait()
            self._news.clear()
            try:
                self._told()
            except Exception as failed:  # noqa: BLE001 - the runs must reach it, whatever it was
                self._news.set()
                if not away:
                    trace = None if isinstance(failed, Unavailable) else failed
                    _LOG.warning("the engine does not hear of new runs: %s", failed, exc_info=trace)
                away = True
                time.sleep(_AGAIN)
            else:
                away = False
                time.sleep(_PAUSE)
        with suppress(Unavailable):
            self._told()
