"""What pages show of the whole farm: whose turn it is, and how much was built when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Integer, cast, func, select

from lapstrake.farm.desk.values import task_of
from lapstrake.farm.tables.database import Database
from lapstrake.farm.tables.rows import TaskRow
from lapstrake.farm.values.tasks import Task, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What ended in one stretch of time.

    Attributes:
        begin: when it begins.
        state: how tasks ended.
        tasks: how many did.
        seconds: how long they took on average, from their start.
    """

    begin: float
    state: TaskState
    tasks: int
    seconds: float


def in_turn(database: Database, limit: int) -> Sequence[Task]:
    """The queued tasks, those first that are to be built first."""
    turn = (TaskRow.rank.desc(), TaskRow.id)
    first = select(TaskRow.id).where(TaskRow.state == TaskState.QUEUED).order_by(*turn).limit(limit)
    query = select(TaskRow).where(TaskRow.id.in_(first.scalar_subquery())).order_by(*turn)
    with database.read() as session:
        return [task_of(row) for row in session.scalars(query)]


def durations(
    database: Database, *, since: float, limit: int, **only: str
) -> Sequence[tuple[float, float]]:
    """When tasks ended and how many seconds they took, the newest end first.

    Args:
        database: the farm's.
        since: only those that ended then or later.
        limit: how many at most.
        only: ``name``, ``branch`` or ``worker``: what it must be; empty texts for any.
    """
    wanted = [getattr(TaskRow, column) == value for column, value in only.items() if value]
    query = (
        select(TaskRow.finished, TaskRow.finished - TaskRow.started)
        .where(TaskRow.finished >= since, TaskRow.started > 0, *wanted)
        .order_by(TaskRow.finished.desc(), TaskRow.id.desc())
        .limit(limit)
    )
    with database.read() as session:
        return [(finished, float(seconds)) for finished, seconds in session.execute(query)]


def throughput(database: Database, *, since: float, step: int) -> Sequence[Throughput]:
    """How many tasks ended, by stretches of time and states; stretches without any are left out.

    Args:
        database: the farm's.
        since: when the first stretch begins.
        step: seconds of one stretch.
    """
    # PostgreSQL's cast rounds and SQLite's cuts, so it is rounded down first.
    stretch = cast(func.round((TaskRow.finished - since) / step - 0.5), Integer)
    query = (
        select(stretch, TaskRow.state, func.count(), func.avg(TaskRow.finished - TaskRow.started))
        .where(TaskRow.finished >= since, TaskRow.started > 0)
        .group_by(stretch, TaskRow.state)
        .order_by(stretch)
    )
    with database.read() as session:
        return [
            Throughput(
                begin=since + number * step,
                state=TaskState(state),
                tasks=tasks,
                seconds=float(seconds),
            )
            for number, state, tasks, seconds in session.execute(query)
        ]
