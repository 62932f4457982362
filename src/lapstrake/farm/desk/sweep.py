"""What the desk does by itself: give up lost workers, end what is overdue, tell the engine."""

from __future__ import annotations

from sqlalchemy import select

from lapstrake.farm.base import TaskState, WorkerState
from lapstrake.farm.desk import flow
from lapstrake.farm.desk.attempts import AttemptDesk
from lapstrake.farm.desk.change import run_of
from lapstrake.farm.engine.base import RunId
from lapstrake.farm.tables.rows import AttemptRow, TaskRow, WorkerRow


class SweepDesk(AttemptDesk):
    """The loops' work; each call may be repeated at any time."""

    def sweep(self) -> None:
        """Give up workers that are silent; let others take what they had; tell the engine again."""
        lost = self._silence() if self.clock() - self.since >= self.config.farm.dead_after else ()
        running = self.dispatch.running()
        gone = [run for run in running if run.executor in set(lost)]
        if gone:
            self.dispatch.give_back(gone)
        self.enqueue_missing()
        self.publish_pending()

    def expire(self) -> None:
        """End tasks whose state's deadline has passed."""
        with self._change() as change:
            query = select(TaskRow).where(TaskRow.deadline > 0, TaskRow.deadline < change.now)
            for row in change.session.scalars(query).all():
                if TaskState.ERROR.value != row.state and row.deadline:
                    state = TaskState(row.state)
                    flow.end(change, row, TaskState.ERROR, f"it was {state} for too long")

    def reconcile(self) -> None:
        """After a start: what a crash left half done is done."""
        self.enqueue_missing()
        self.publish_pending()

    def enqueue_missing(self) -> None:
        """Give the engine the queued tasks that it does not know."""
        with self.database.read() as session:
            query = select(TaskRow.id, TaskRow.round, TaskRow.queue, TaskRow.rank)
            rows = {
                RunId(number, round): (queue, rank)
                for number, round, queue, rank in session.execute(
                    query.where(TaskRow.state == TaskState.QUEUED).order_by(TaskRow.id)
                )
            }
        for run in sorted(rows.keys() - self.dispatch.known(rows)):
            queue, rank = rows[run]
            self.dispatch.enqueue(run, queue, priority=rank)

    def publish_pending(self) -> None:
        """Publish what a crash, or a full disk, left unpublished."""
        with self.database.read() as session:
            query = select(TaskRow.id).where(TaskRow.state == TaskState.PUBLISHING)
            waiting = tuple(session.scalars(query))
        for task in waiting:
            self.publish_task(task)

    def _silence(self) -> tuple[str, ...]:
        """Note which workers are silent; gives the executors of what they had."""
        executors = []
        with self._change() as change:
            before = change.now - self.config.farm.dead_after
            silent = change.session.scalars(
                select(WorkerRow).where(
                    WorkerRow.seen < before,
                    WorkerRow.state.in_((WorkerState.ONLINE, WorkerState.DRAINING)),
                )
            )
            for worker in silent.all():
                worker.state = WorkerState.SILENT.value
                change.tell("worker.silent", worker=worker.name)
            gone = select(WorkerRow.name).where(
                WorkerRow.state.in_((WorkerState.SILENT, WorkerState.GONE))
            )
            query = select(AttemptRow).where(AttemptRow.ending == "", AttemptRow.worker.in_(gone))
            for trial in change.session.scalars(query).all():
                row = change.task(trial.task)
                executors.append(trial.executor)
                if flow.lose(change, row, f"worker {trial.worker} is gone"):
                    change.enqueue[run_of(row)] = (row.queue, row.rank)
        return tuple(executors)
