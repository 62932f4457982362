"""What the metrics are made of: few small questions to the tables, none over all of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from lapstrake.farm.model.states import ENDED
from lapstrake.farm.tables.database import Database
from lapstrake.farm.tables.rows import AttemptRow, TaskRow
from lapstrake.farm.values.tasks import TaskState

_UNFINISHED = [str(state) for state in TaskState if state not in ENDED]
_MOST = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """One of the engine's queues: how many tasks wait in it, and since when the oldest does."""

    queue: str
    waiting: int
    oldest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAttempt:
    """An attempt that has ended.

    Attributes:
        task, number: which.
        arch: of the machine.
        ending: how.
        seconds: how long it took.
        finished: when it ended.
    """

    task: int
    number: int
    arch: str
    ending: str
    seconds: float
    finished: float


def unfinished(database: Database) -> dict[tuple[str, str], int]:
    """How many tasks have not ended, by state and architecture."""
    question = (
        select(TaskRow.state, TaskRow.arch, func.count())
        .where(TaskRow.state.in_(_UNFINISHED))
        .group_by(TaskRow.state, TaskRow.arch)
    )
    with database.read() as session:
        return {(state, name): count for state, name, count in session.execute(question)}


def queue_depths(database: Database) -> Sequence[QueueDepth]:
    """The queues that something waits in."""
    question = (
        select(TaskRow.queue, func.count(), func.min(TaskRow.changed))
        .where(TaskRow.state == TaskState.QUEUED)
        .group_by(TaskRow.queue)
    )
    with database.read() as session:
        return [
            QueueDepth(queue=queue, waiting=count, oldest=oldest)
            for queue, count, oldest in session.execute(question)
        ]


def queue_running(database: Database) -> dict[str, int]:
    """How many tasks of each queue workers have."""
    question = (
        select(TaskRow.queue, func.count())
        .where(TaskRow.state.in_([TaskState.FETCHING.value, TaskState.BUILDING.value]))
        .group_by(TaskRow.queue)
    )
    with database.read() as session:
        return dict(session.execute(question).tuples().all())


def queue_first(database: Database, queue: str, most: int) -> Sequence[int]:
    """The tasks that come first in a queue."""
    question = (
        select(TaskRow.id)
        .where(TaskRow.state == TaskState.QUEUED.value, TaskRow.queue == queue)
        .order_by(TaskRow.rank.desc(), TaskRow.id)
        .limit(most)
    )
    with database.read() as session:
        return session.scalars(question).all()


def ended_since(database: Database, moment: float) -> Sequence[EndedAttempt]:
    """The attempts that ended at a moment or later, oldest first, ten thousand at most."""
    question = (
        select(AttemptRow, TaskRow.arch)
        .join(TaskRow, TaskRow.id == AttemptRow.task)
        .where(AttemptRow.finished >= moment, AttemptRow.finished > 0)
        .order_by(AttemptRow.finished)
        .limit(_MOST)
    )
    with database.read() as session:
        return [
            EndedAttempt(
                task=row.task,
                number=row.number,
                arch=arch,
                ending=row.ending,
                seconds=row.finished - row.started,
                finished=row.finished,
            )
            for row, arch in session.execute(question)
        ]
