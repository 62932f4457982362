"""What the desk does by itself: give up lost workers, end what is overdue, tell the engine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select, update

from lapstrake.farm.desk import flow
from lapstrake.farm.desk.base import log
from lapstrake.farm.desk.change import Change, run_of
from lapstrake.farm.desk.results import ResultDesk
from lapstrake.farm.desk.values import spec_of
from lapstrake.farm.engine.base import Executor, Queued, RunId, Running
from lapstrake.farm.model import queues, states
from lapstrake.farm.tables.rows import AttemptRow, TaskRow, WorkerRow
from lapstrake.farm.values.tasks import TaskState
from lapstrake.farm.values.workers import AWAY, HERE, WorkerState

_COMPARE_SECONDS = 30.0
_AWAY_SECONDS = 5.0  # longer than it ever is from one sweep to the next


class SweepDesk(ResultDesk):
    """The loops' work; each call may be repeated at any time."""

    def sweep(self) -> None:
        """Give up workers that are silent, let others take what they had, tell the engine again.

        After a start, and whenever it has not looked for long, nobody is silent before
        `dead_after`: it was the server that was away.
        """
        running = self.dispatch.running()
        with self._change() as change:
            self._notice_absence(change)
            if change.now - self.since >= self.config.farm.dead_after:
                _silence(change)
            workers = {row.name: row for row in change.session.scalars(select(WorkerRow))}
            dead = [run for run in running if is_dead(run.executor, workers)]
            self._give_up(change, workers, running)
            _unpin(change, workers.values())
            rows = {run: change.task(run.run.task) for run in dead}
        if dead:
            self.dispatch.give_back(dead)
        self.dispatch.move(
            [
                Queued(run=run.run, queue=row.queue, priority=row.rank)
                for run, row in rows.items()
                if run.queue != row.queue
            ]
        )
        if self.clock() - self._compared >= _COMPARE_SECONDS:
            self.enqueue_missing()
        self.publish_pending()
        self._swept = self.clock()

    def expire(self) -> None:
        """End tasks whose state's deadline has passed."""
        with self._change() as change:
            query = select(TaskRow).where(TaskRow.deadline > 0, TaskRow.deadline < change.now)
            for row in change.session.scalars(query.order_by(TaskRow.id)).all():
                if row.state == TaskState.WAITING and _holds(change, row):
                    row.deadline = change.deadline(TaskState.WAITING)
                elif 0 < row.deadline < change.now:  # an end before it may have moved it
                    flow.end(change, row, TaskState.ERROR, f"it was {row.state} for too long")
                    flow.settle(change)

    def reconcile(self) -> None:
        """After a start: what a crash left half done is done."""
        self.enqueue_missing()
        self.publish_pending()

    def enqueue_missing(self) -> None:
        """Give the engine the queued tasks that it does not have.

        One whose run has ended there, though no attempt was made, gets a new round.
        """
        self._compared = self.clock()
        query = select(TaskRow.id, TaskRow.round, TaskRow.queue, TaskRow.rank)
        with self.database.read() as session:
            found = session.execute(
                query.where(TaskRow.state == TaskState.QUEUED).order_by(TaskRow.id)
            ).all()
        queued = {
            RunId(task, round): Queued(run=RunId(task, round), queue=queue, priority=rank)
            for task, round, queue, rank in found
        }
        missing = queued.keys() - self.dispatch.alive(queued)
        if not missing:
            return
        ended = self.dispatch.known(missing)
        self.dispatch.enqueue_all([queued[run] for run in sorted(missing - ended)])
        with self._change() as change:
            for run in sorted(ended):
                row = change.task(run.task)
                if row.state == TaskState.QUEUED and run_of(row) == run:
                    flow.enqueue(change, row)

    def publish_pending(self) -> None:
        """Publish what a crash, or a full disk, left unpublished."""
        with self.database.read() as session:
            query = select(TaskRow.id).where(TaskRow.state == TaskState.PUBLISHING)
            waiting = tuple(session.scalars(query.order_by(TaskRow.id)))
        for task in waiting:
            self.publish_task(task)

    def _notice_absence(self, change: Change) -> None:
        """Give everybody the time for which we slept, had no database, or our clock leapt.

        A machine without a clock of its own starts in 1970 and leaps later.
        """
        away = change.now - self._swept
        if 0 <= away < max(_AWAY_SECONDS, change.config.dead_after / 2):
            return
        log.warning("the server was away, or its clock was set, by %.0f s", away)
        self.since = change.now
        limited = update(TaskRow).where(TaskRow.deadline > 0)
        change.session.execute(limited.values(deadline=TaskRow.deadline + away))
        ahead = update(WorkerRow).where(WorkerRow.seen > change.now)
        change.session.execute(ahead.values(seen=change.now))

    def _give_up(
        self, change: Change, workers: Mapping[str, WorkerRow], running: Sequence[Running]
    ) -> None:
        """Note which attempts are lost: their worker is, or the engine's run is over."""
        taken = {run.run: run.executor for run in running}
        grace = change.now - self.config.farm.dead_after
        query = select(TaskRow, AttemptRow).join(
            AttemptRow, (AttemptRow.task == TaskRow.id) & (AttemptRow.number == TaskRow.attempt)
        )
        held = query.where(TaskRow.state.in_(states.RUNNING), AttemptRow.ending == "")
        for row, trial in change.session.execute(held).all():
            if is_dead(trial.executor, workers):
                flow.lose(change, row, f"worker {trial.worker} is gone")
            elif run_of(row) not in taken and trial.started < grace:
                # Its slot ended the run and could not tell how: the engine will not give it again.
                again = flow.lose(change, row, f"worker {trial.worker} gave it up")
                if again:
                    flow.enqueue(change, row)


def is_dead(executor: str, workers: Mapping[str, WorkerRow]) -> bool:
    """Whether a slot's process is no more, as far as its worker's heartbeats tell.

    One that is in no heartbeat may be new.
    """
    name = Executor.parse(executor)
    if name is None:
        return False
    row = workers.get(name.worker)
    if row is None or row.incarnation != name.incarnation or row.state in AWAY:
        return True
    slots = (Executor.parse(slot["executor"]) for slot in row.slots)
    return any(slot and slot.slot == name.slot and slot.start > name.start for slot in slots)


def _silence(change: Change) -> None:
    """Note who has not been heard for too long."""
    silent = select(WorkerRow).where(
        WorkerRow.seen < change.now - change.config.dead_after, WorkerRow.state.in_(HERE)
    )
    for worker in change.session.scalars(silent).all():
        worker.state = WorkerState.SILENT.value
        seconds = change.now - worker.seen
        change.tell("worker.silent", f"not heard for {seconds:.0f} s", worker=worker.name)


def _unpin(change: Change, workers: Iterable[WorkerRow]) -> None:
    """Let others have what placement meant for workers that are away."""
    away = [queues.worker_queue(row.name) for row in workers if row.state in AWAY]
    if not away:
        return
    pinned = select(TaskRow).where(TaskRow.state == TaskState.QUEUED, TaskRow.queue.in_(away))
    for row in change.session.scalars(pinned).all():
        spec = spec_of(row)
        if not spec.requires.worker:
            flow.put(change, row, rank=row.rank, queue=queues.queue_of(spec.arch, spec.requires))


def _holds(change: Change, row: TaskRow) -> bool:
    """Whether something that a waiting task waits for still goes on, with its own deadline."""
    query = select(TaskRow.id).where(TaskRow.state.not_in(states.ENDED)).limit(1)
    if row.same_as is not None:
        return change.session.scalar(query.where(TaskRow.id == row.same_as)) is not None
    needed = query.where(TaskRow.group_id == row.group_id, TaskRow.member.in_(row.needs))
    return change.session.scalar(needed) is not None
