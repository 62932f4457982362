"""While a slot builds: is the run still its own? If not, or if nobody can tell, the build dies.

A slot that is cut off must end its build before the server gives the run to somebody else, so it
counts the seconds without an answer on its own clock, and that clock goes on while the machine
sleeps.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType

from lapstrake.farm.engine.base import Ownership
from lapstrake.farm.problems import Unavailable

FENCED = 75
"""The exit status of a slot that ended itself (``EX_TEMPFAIL`` of sysexits.h): start another."""

_ASK = 1.0
_ASKED_IN_TIME = 5
_LOOK = 0.1
_GRACE = 5.0
_KILLING = 2.0
_LOG = logging.getLogger("lapstrake.farm.engine")


class Fence:
    """Watches over one run for the time of a ``with`` block.

    Args:
        is_ours: asked once a second, from a thread; what it raises means "no answer".
        kill: ends the build and all its processes; called from a thread, perhaps twice.
        what: is built, for the log.
        seconds: without an answer, after which the build is killed and this process ends.
        give_back: asked to let others have the run when the slot is told to `give_up`.
    """

    def __init__(
        self,
        is_ours: Ownership,
        kill: Callable[[], None],
        *,
        what: str,
        seconds: float,
        give_back: Callable[[], None],
    ) -> None:
        self._is_ours = is_ours
        self._kill = kill
        self._what = what
        self._seconds = seconds
        self._give_back = give_back
        self._returned = threading.Event()
        self._over = threading.Event()
        self._ending = threading.Lock()  # held for good by the first of both: the run, the process
        self._lost = False
        self._giving_up = False
        self._answered = _now()

    def give_up(self) -> None:
        """Kill the build, let others have the run, end this process; safe in a signal handler."""
        self._giving_up = True

    def __enter__(self) -> Fence:
        """Start to watch; the run was ours a moment ago."""
        for task in (self._ask, self._judge):
            threading.Thread(target=task, name=f"fence{task.__name__}", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """The run is over; does not return when this process ends on its account."""
        self._returned.set()
        # A killed build returns too: it must not count as done while the process still ends.
        self._ending.acquire()
        self._over.set()

    def _ask(self) -> None:
        """Ask; a question may hang, so another thread counts the seconds."""
        told = False
        while not self._over.is_set():
            asked = _now()
            if asked - self._answered > self._seconds:
                return  # frozen for too long: whatever the answer would be, this slot ends
            try:
                if not self._is_ours():
                    self._lost = True
                    return
                self._answered = asked
                if told:
                    _LOG.info("%s: it is still ours", self._what)
                told = False
            except Unavailable as away:
                if not told:
                    _LOG.warning("%s: is it still ours? %s", self._what, away.brief)
                told = True
            self._over.wait(min(_ASK, self._seconds / _ASKED_IN_TIME))

    def _judge(self) -> None:
        while not self._over.wait(_LOOK):
            if self._giving_up:
                self._end("told to stop", self._give_back)
            elif _now() - self._answered > self._seconds:
                self._end(f"the engine has not answered for {self._seconds:g} s")
            elif self._lost:
                _LOG.info("%s: it is not ours any more: its build is killed", self._what)
                _within(_KILLING, self._kill)
                if not self._over.wait(_GRACE):
                    self._end("the killed build did not end")

    def _end(self, why: str, last: Callable[[], None] | None = None) -> None:
        if not self._ending.acquire(blocking=False):
            return  # it was over in this very moment
        _LOG.warning("%s: %s: this slot ends", self._what, why)
        _within(_KILLING, self._kill)
        self._returned.wait(_KILLING)  # it may have something to clear away
        if last is not None:
            _within(_GRACE, last)
        os._exit(FENCED)  # raising would end the run as if it had been built


def _within(seconds: float, task: Callable[[], None]) -> None:
    """Do something that may hang or fail, but not for longer than this."""
    doing = threading.Thread(target=task, daemon=True)
    doing.start()
    doing.join(seconds)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
