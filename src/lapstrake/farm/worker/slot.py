"""The process of one slot: takes a run, claims its task, builds it, tells how it went.

The supervisor starts it (``python -m lapstrake.farm.worker.slot``), writes its `SlotSetup` as the
first line, then ``stop``, ``give-up`` or ``cancel TASK``; it answers with a `Slot` in a line
whenever that changes. It dies with the supervisor.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from dataclasses import replace

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import UnreachableError, read, write
from lapstrake.farm.client.http import Connection
from lapstrake.farm.engine.base import Ownership, RunId
from lapstrake.farm.engine.fence import FENCED
from lapstrake.farm.engine.slot import Slot
from lapstrake.farm.model.queues import serves
from lapstrake.farm.monitor.logs import about, start_logs
from lapstrake.farm.problems import (
    NoRoom,
    Problem,
    TooMany,
    Unavailable,
    Unknown,
    WrongState,
)
from lapstrake.farm.values.attempts import Job, Result
from lapstrake.farm.values.workers import Slot as SlotNews
from lapstrake.farm.values.workers import SlotState
from lapstrake.farm.worker.attempt import Attempt
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.ready import ReadyProcess
from lapstrake.farm.worker.setup import SlotSetup
from lapstrake.formats.amounts import duration_text
from lapstrake.host.companion import end_with_parent

_PATIENCE = 5.0
_AGAIN = 2.0
_PASSING = (Unavailable, TooMany, NoRoom)
_LOG = logging.getLogger("lapstrake.farm.worker")


def main() -> None:
    """Read the setup, then build what comes until told to stop."""
    parent = os.getppid()
    end_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGTERM):  # the supervisor tells us when to stop
        signal.signal(number, signal.SIG_IGN)
    setup = read(SlotSetup, sys.stdin.buffer.readline())
    start_logs(setup.worker.log_form)
    slot = SlotProcess(setup)
    threading.Thread(target=slot.listen, name="orders", daemon=True).start()
    slot.run()
    os._exit(0)  # a thread that waits for the next order would be in the way of all else


class SlotProcess:
    """What the supervisor tells us, and what the engine gives us.

    Args:
        setup: as the supervisor wrote it.
    """

    def __init__(self, setup: SlotSetup) -> None:
        self._setup = setup
        worker = setup.worker
        self._link = Link(Connection(worker.server, worker.token, patience=_PATIENCE))
        self._ready = ReadyProcess()
        self._attempt: Attempt | None = None
        self._task: int | None = None
        self._trouble = ""
        self._slot = Slot(
            setup.engine,
            setup.executor,
            serves=lambda queue: serves(setup.facts, queue),
            execute=self.execute,
            kill=self._kill,
            fence=setup.fence,
        )

    def run(self) -> None:
        """Build what comes."""
        self._tell(SlotState.IDLE)
        self._slot.run()
        self._tell(SlotState.STOPPED)

    def listen(self) -> None:
        """Do what the supervisor says; without a supervisor there is no reason to live."""
        for line in sys.stdin.buffer:
            order, _, task = line.decode().strip().partition(" ")
            if order == "stop":
                self._slot.stop()
            elif order == "give-up":
                self._slot.give_up()
            elif order == "cancel" and task == str(self._task):
                self._kill()
        os._exit(FENCED)

    def execute(self, run: RunId, owned: Ownership) -> None:
        """Build a run; whatever goes wrong is told to the server and never raised."""
        try:
            with about(task=run.task, slot=self._setup.number):
                job = self._claim(run, owned)
                if job is not None:
                    self._do(job, owned)
        except Exception:  # noqa: BLE001 - a run that raised would count as built
            _LOG.exception("while task %d was built", run.task)
            os._exit(FENCED)  # the server sees another executor in this slot, and gives it back
        finally:
            self._attempt = self._task = None
            self._trouble = ""
            self._tell(SlotState.IDLE)

    def _claim(self, run: RunId, owned: Ownership) -> Job | None:
        """Begin an attempt; ``None`` when there is nothing to do."""
        setup = self._setup
        while self._still(owned):
            try:
                return self._link.claim(
                    run,
                    worker=setup.worker.name,
                    incarnation=setup.facts.incarnation,
                    executor=setup.executor,
                )
            except (WrongState, Unknown) as nothing:
                _LOG.info("%s", nothing.brief)
                return None
            except (UnreachableError, *_PASSING) as away:
                self._rest(away.brief)
        return None

    def _do(self, job: Job, owned: Ownership) -> None:
        """Build, and hand in the result."""
        self._make_ready()
        attempt = Attempt(self._setup, job, self._link, self._ready)
        self._attempt, self._task = attempt, job.task
        self._tell(SlotState.BUSY, job)
        _LOG.info("begins attempt %d of %s", job.attempt, job.spec.name or job.spec.source)
        try:
            result = attempt.run()
            _LOG.info("%s", _ending(result))
            self._make_ready()  # for the next one
            if result is not None:
                self._finish(job, result, owned)
        finally:
            attempt.close()

    def _make_ready(self) -> None:
        """Have a process that waits for work."""
        if not self._ready.is_waiting:
            self._ready.close()
            self._ready = ReadyProcess()

    def _finish(self, job: Job, result: Result, owned: Ownership) -> None:
        """Hand in the result, however long the server is away; a late one is dropped."""
        while self._still(owned):
            try:
                self._link.finish(job, result)
            except (WrongState, Unknown) as late:
                _LOG.warning("%s", late.brief)
            except _PASSING as away:
                self._rest(f"the result waits: {away.brief}")
                continue
            except Problem as refused:
                _LOG.warning("the result is refused: %s", refused.brief)
                if result.ok:  # the task must end, and say why
                    said = f"the server refused the result: {refused.brief}"
                    result = replace(
                        result, ok=False, outputs=(), error=said, exit_code=refused.exit_code
                    )
                    continue
            except FarmError as away:  # nobody answers, or the server is in trouble
                self._rest(f"the result waits: {away.brief}")
                continue
            return

    def _rest(self, trouble: str) -> None:
        """Wait before the next try; a trouble that lasts is told once."""
        if trouble != self._trouble:
            _LOG.warning("%s", trouble)
        self._trouble = trouble
        time.sleep(_AGAIN)

    def _still(self, owned: Ownership) -> bool:
        """Whether the run is ours as far as anybody knows; the fence watches the time."""
        try:
            return owned()
        except Exception:  # noqa: BLE001 - whatever the database raises
            return True

    def _kill(self) -> None:
        if self._attempt is not None:
            self._attempt.lose()

    def _tell(self, state: SlotState, job: Job | None = None) -> None:
        """Say what we do."""
        news = SlotNews(
            number=self._setup.number,
            executor=self._setup.executor,
            state=state,
            task=job.task if job else None,
            attempt=job.attempt if job else 0,
        )
        sys.stdout.buffer.write(write(news) + b"\n")
        sys.stdout.buffer.flush()


def _ending(result: Result | None) -> str:
    """How an attempt ended, in a line."""
    if result is None:
        return "given up: it is not ours any more"
    took = duration_text(result.peaks.wall_seconds)
    return f"built in {took}" if result.ok else f"failed after {took}: {result.error}"


if __name__ == "__main__":
    main()
