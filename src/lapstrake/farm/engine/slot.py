"""One slot: takes runs of all its queues, one at a time, until it is told to stop."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress

from lapstrake.farm.engine.base import Execute
from lapstrake.farm.engine.claims import Claim, Claims
from lapstrake.farm.engine.fence import Fence
from lapstrake.farm.problems import Unavailable

POLL = 0.15
"""Seconds between two looks for work at least: what a task waits for an idle slot, at most."""
_BACK_OFF = 1.0
_LAST_WORDS = 5.0
_LOG = logging.getLogger("lapstrake.farm.engine")


class Slot:
    """The process of one slot. `run` belongs to the main thread.

    Args:
        url: the engine's address; its tables exist already.
        executor: its name, new for each process; see `lapstrake.farm.engine.base.Executor`.
        serves: whether a queue (by name) is one that this worker takes runs from.
        execute: builds a run, in the thread that called `run`.
        kill: ends what `execute` has started, from another thread; `execute` returns then.
        fence: seconds without the engine after which the build is killed and the process ends.
        poll: seconds between two looks for work.
    """

    def __init__(
        self,
        url: str,
        executor: str,
        *,
        serves: Callable[[str], bool],
        execute: Execute,
        kill: Callable[[], None],
        fence: float,
        poll: float = POLL,
    ) -> None:
        self._claims = Claims(url, executor, serves)
        self._execute = execute
        self._kill = kill
        self._fence_seconds = fence
        self._poll = poll
        self._fence: Fence | None = None
        # Plain values: a signal handler must not touch a lock that the main thread may hold.
        self._stopping = self._giving_up = False
        self._unsure = False

    def run(self) -> None:
        """Build what comes, until `stop`.

        Ends the process (exit status 75) when a build had to be killed because the run is
        somebody else's; nothing that the database does is raised.
        """
        while not self._stopping:
            claim = self._take()
            if claim is not None:
                self._build(claim)
        self._claims.close()

    def stop(self) -> None:
        """Finish what is being built, then let `run` return; safe in a signal handler."""
        self._stopping = True

    def give_up(self) -> None:
        """Kill what is being built, give it to others, end the process; else as `stop`."""
        self._stopping = self._giving_up = True
        if self._fence is not None:
            self._fence.give_up()

    def _take(self) -> Claim | None:
        """Take a run; ``None`` when there was none, after a while."""
        try:
            if self._unsure:
                # The database went away while it was asked: it may have given us a run.
                self._claims.give_back()
                self._unsure = False
                _LOG.info("the engine answers again")
            claim = self._claims.take()
            if claim is None:
                # Not all at once, however many slots were started together.
                pause = self._poll * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
                self._claims.wait(pause, over=lambda: self._stopping)
            return claim
        except Unavailable as away:
            if not self._unsure:
                _LOG.warning("%s", away.brief)
            self._unsure = True
            time.sleep(_BACK_OFF)
            return None

    def _build(self, claim: Claim) -> None:
        if self._stopping:  # told while it was taken
            with suppress(Unavailable):  # the server sees that this worker is gone
                self._claims.give_back()
            return

        def ours() -> bool:
            return self._claims.is_ours(claim)

        fence = Fence(
            ours,
            self._kill,
            what=f"task {claim.run.task}",
            seconds=self._fence_seconds,
            give_back=self._claims.give_back,
        )
        self._fence = fence
        if self._giving_up:  # told before there was a fence to tell
            fence.give_up()
        with fence:
            self._execute(claim.run, ours)
        self._fence = None
        self._end(claim)

    def _end(self, claim: Claim) -> None:
        """Tell the engine; without it the run would be this slot's for ever."""
        last = time.monotonic() + _LAST_WORDS
        while True:
            try:
                self._claims.end(claim)
            except Unavailable as away:
                _LOG.warning("task %d: its end waits: %s", claim.run.task, away.brief)
                if self._stopping and time.monotonic() > last:
                    return  # the server sees that this worker is gone, and that the task is done
                time.sleep(_BACK_OFF)
            else:
                return
