"""A change: rows that are moved together, and what the engine and the listeners hear afterwards."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from lapstrake.config.model import FarmConfig
from lapstrake.farm.desk import words
from lapstrake.farm.engine.base import RunId
from lapstrake.farm.model import states
from lapstrake.farm.problems import Unknown, WrongState
from lapstrake.farm.tables.rows import AttemptRow, EventRow, GroupRow, TaskRow, WorkerRow
from lapstrake.farm.values.tasks import TaskState
from lapstrake.farm.values.workers import WorkerState

_SLACK = 600.0  # a build that is stopped for its time still has to say so


@dataclass(slots=True, kw_only=True)
class Change:
    """One change of state, all or nothing.

    Attributes:
        session: alone in writing.
        now: the server's time.
        config: ``[farm]``.
        longest: seconds a build may take when its spec does not say; ``None`` for any time.
        keys: those of `lapstrake.farm.model.identity` that any task has, of those that matter to
            this change; ``None`` to look each up.
        has: whether the content store has a digest.
        enqueue, cancel, moved: what the engine is told once the rows are kept.
        events: what the listeners are told, each with the task that it is about.
        ended, groups: tasks that have ended and groups that have moved, whose followers have not.
    """

    session: Session
    now: float
    config: FarmConfig
    longest: float | None = None
    has: Callable[[str], bool] = bool
    keys: set[str] | None = None
    enqueue: list[TaskRow] = field(default_factory=list)
    cancel: list[RunId] = field(default_factory=list)
    moved: dict[RunId, tuple[str, int]] = field(default_factory=dict)
    events: list[tuple[EventRow, TaskRow | None]] = field(default_factory=list)
    ended: list[TaskRow] = field(default_factory=list)
    groups: set[int] = field(default_factory=set)

    def task(self, number: int) -> TaskRow:
        """A task's row.

        Raises:
            Unknown: there is none.
        """
        return known_task(self.session, number)

    def tell(
        self,
        kind: str,
        text: str = "",
        *,
        task: TaskRow | None = None,
        group: int | None = None,
        worker: str = "",
    ) -> None:
        """Note that something happened."""
        row = EventRow(at=self.now, kind=kind, text=text, worker=worker, group_id=group)
        if task is not None:
            row.group_id, row.worker = task.group_id, worker or task.worker
        self.events.append((row, task))

    def keep_events(self) -> None:
        """Keep what happened: at the end and all together, when new tasks have their numbers."""
        self.session.flush()
        for row, task in self.events:
            row.task = task.id if task is not None else None
            self.session.add(row)

    def set_state(self, row: TaskRow, state: TaskState, reason: str = "") -> None:
        """Move a task; nothing that follows from it is done here.

        Raises:
            WrongState: the move is not legal.
        """
        before = TaskState(row.state)
        states.check(before, state)
        row.state, row.reason, row.changed = state.value, reason, self.now
        row.deadline = self.deadline(state, float(row.spec.get("seconds", 0.0)))
        if state is TaskState.FETCHING and not row.started:
            row.started = self.now
        row.finished = self.now if state in states.ENDED else 0.0
        self.tell(f"task.{state.value}", words.moved(row, reason), task=row)

    def deadline(self, state: TaskState, seconds: float = 0.0) -> float:
        """When a state is given up that begins now; 0 for never.

        Args:
            state: which.
            seconds: that the build may take; 0 for the server's own limit, and where that is
                none for as long as a task may wait.
        """
        allowed = {
            TaskState.NEW: self.config.new_timeout,
            TaskState.WAITING: self.config.queue_timeout,
            TaskState.QUEUED: self.config.queue_timeout,
            TaskState.FETCHING: self.config.fetch_timeout,
            TaskState.BUILDING: (seconds or self.longest or self.config.queue_timeout) + _SLACK,
            TaskState.PUBLISHING: self.config.fetch_timeout,
        }.get(state, 0.0)
        return self.now + allowed if allowed else 0.0


def hear(change: Change, worker: WorkerRow, text: str = "") -> None:
    """Note that a worker is here."""
    state = WorkerState.DRAINING if worker.drain else WorkerState.ONLINE
    worker.state, worker.seen = state.value, change.now
    change.tell("worker.online", text, worker=worker.name)


def run_of(row: TaskRow) -> RunId:
    """What the engine calls a task's present round."""
    return RunId(row.id, row.round)


def known_task(session: Session, number: int) -> TaskRow:
    """A task's row.

    Raises:
        Unknown: there is none.
    """
    row = session.get(TaskRow, number) if 0 < number < 1 << 63 else None
    if row is None:
        raise Unknown(f"there is no task {number}", resolution="`lapstrake task list` has them.")
    return row


def known_attempt(session: Session, task: int, number: int) -> AttemptRow:
    """An attempt's row.

    Raises:
        Unknown: there is none.
    """
    row = session.get(AttemptRow, (task, number)) if 0 < number < 1 << 31 else None
    if row is None:
        known_task(session, task)
        raise Unknown(f"task {task} has no attempt {number}")
    return row


def held_task(session: Session, task: int, attempt: int) -> TaskRow:
    """A task that an attempt still holds.

    Raises:
        Unknown: no such task or attempt.
        WrongState: it does not, with ``lost`` in the fields.
    """
    row = known_task(session, task)
    trial = known_attempt(session, task, attempt)
    if row.attempt != attempt or trial.ending or row.state not in states.RUNNING:
        raise WrongState(
            f"attempt {attempt} does not hold task {task} any more: "
            f"{'it was ' + trial.ending if trial.ending else 'it is over'}",
            resolution="Kill what it runs; report nothing.",
            fields={"lost": True, "state": row.state},
        )
    return row


def known_group(session: Session, number: int) -> GroupRow:
    """A group's row.

    Raises:
        Unknown: there is none.
    """
    row = session.get(GroupRow, number) if 0 < number < 1 << 63 else None
    if row is None:
        raise Unknown(f"there is no group {number}", resolution="`lapstrake group list` has them.")
    return row


def known_worker(session: Session, name: str) -> WorkerRow:
    """A worker's row.

    Raises:
        Unknown: there is none.
    """
    row = session.get(WorkerRow, name)
    if row is None:
        raise Unknown(f"there is no worker {name!r}", resolution="`lapstrake farm workers` lists.")
    return row
