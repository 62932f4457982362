"""Keeps the process of one slot running: starts it, hears it, starts it again when it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from lapstrake.config.model import Config
from lapstrake.farm.client.answer import read, write
from lapstrake.farm.engine.base import Executor
from lapstrake.farm.values.workers import Slot, SlotState, Welcome, WorkerFacts
from lapstrake.farm.worker import leftovers
from lapstrake.farm.worker.setup import SlotSetup, WorkerSetup, environment, program
from lapstrake.host.companion import Companion

_LOG = logging.getLogger("lapstrake.farm.worker")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0
_GOOD_SECONDS = 60.0  # it ran for so long: what ended it is no fault of its start


class SlotKeeper:
    """One slot. All but what the process says is done by the supervisor's thread.

    Args:
        number: from 1.
        worker: what holds for all slots.
        config: as it was when the worker started.
        facts: what the worker said of itself.
        welcome: what the server answered.
        wake: called, from a thread, whenever something changed.
    """

    def __init__(
        self,
        number: int,
        worker: WorkerSetup,
        config: Config,
        facts: WorkerFacts,
        welcome: Welcome,
        *,
        wake: Callable[[], None],
    ) -> None:
        self._number, self._worker, self._config = number, worker, config
        self._facts, self._welcome, self._wake = facts, welcome, wake
        self._companion: Companion | None = None
        self._ended = threading.Event()
        self._starts = 0
        self._started = self._next_start = 0.0
        self._pause = _FIRST_PAUSE
        self._stopping = False
        self.slot = Slot(number=number, executor="", state=SlotState.STOPPED)

    @property
    def running(self) -> bool:
        """Whether it has a process."""
        return self._companion is not None

    def tend(self, *, wanted: bool) -> None:
        """Do what is to be done now: bury, start, or ask to stop after its build.

        Args:
            wanted: whether the slot is to take work.
        """
        if self._companion is not None and self._ended.is_set():
            self._bury()
        if self._companion is None:
            if wanted and time.monotonic() >= self._next_start:
                self._start()
        elif not wanted and not self._stopping:
            self._stopping = True
            self._companion.tell(b"stop")

    def cancel(self, task: int) -> None:
        """Kill the build of a task, if this slot builds it."""
        if self._companion is not None and self.slot.task == task:
            self._companion.tell(f"cancel {task}".encode())

    def give_up(self) -> None:
        """Kill what it builds, let others have it, and end."""
        self._stopping = True
        if self._companion is not None:
            self._companion.tell(b"give-up")

    def kill(self) -> None:
        """Kill it, and with it what it builds."""
        if self._companion is not None:
            self._companion.kill()

    def _start(self) -> None:
        self._starts += 1
        executor = str(
            Executor(self._facts.name, self._facts.incarnation, self._number, self._starts)
        )
        setup = SlotSetup(
            worker=self._worker,
            number=self._number,
            executor=executor,
            facts=self._facts,
            engine=self._welcome.engine,
            fence=self._welcome.fence,
        )
        self.slot = Slot(number=self._number, executor=executor)
        self._ended.clear()
        self._stopping = False
        self._started = time.monotonic()
        self._companion = Companion(
            program("lapstrake.farm.worker.slot"),
            env=environment(),
            on_line=self._hear,
            on_end=self._hear_end,
        )
        self._companion.tell(write(setup))

    def _hear(self, line: bytes) -> None:
        """What the process says, in the companion's thread."""
        self.slot = read(Slot, line)
        self._wake()

    def _hear_end(self, status: int) -> None:
        if status:
            _LOG.warning("slot %d ended with status %d", self._number, status)
        self._ended.set()
        self._wake()

    def _bury(self) -> None:
        """Its process is dead: what it built is dead, too; what is left of it goes."""
        # An engine may take its time, or hang.
        words = (self._worker, self._config, self.slot.executor)
        threading.Thread(target=leftovers.remove_of_executor, args=words, daemon=True).start()
        self._companion = None
        self.slot = Slot(number=self._number, executor=self.slot.executor, state=SlotState.STOPPED)
        good = time.monotonic() - self._started > _GOOD_SECONDS
        self._pause = _FIRST_PAUSE if good else min(self._pause * 2, _LONGEST_PAUSE)
        self._next_start = time.monotonic() + self._pause
