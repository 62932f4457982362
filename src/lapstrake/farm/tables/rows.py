"""The server's tables: tasks, their attempts, groups, workers, what happened.

Values that are only read and written whole are JSON; whatever is searched for is a column.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from lapstrake.farm.tables.base import Base, Word, Words

Number = BigInteger().with_variant(Integer(), "sqlite")
"""What grows by itself: SQLite counts up plain integers only."""


class TaskRow(Base):
    """A task; see `lapstrake.farm.values.tasks.Task`.

    Attributes:
        key: see `lapstrake.farm.model.identity`; empty while it lacks something.
        needs: the members of its group that come before it.
        round: how often it was given to the engine; `lapstrake.farm.engine.base.RunId`.
        lost: workers lost in this round.
        queue: the engine's queue.
        rank: the priority that the engine was told.
        cores: processors that placement gave it, 0 for any.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        Index("ix_tasks_state_id", "state", "id"),
        Index("ix_tasks_branch_id", "branch", "id"),
        Index("ix_tasks_name_id", "name", "id"),
        Index("ix_tasks_owner_id", "owner", "id"),
        Index("ix_tasks_worker_id", "worker", "id"),
        Index("ix_tasks_group_id_id", "group_id", "id"),
        Index("ix_tasks_key_state", "key", "state"),
        Index("ix_tasks_finished_id", "finished", "id"),
        Index("ix_tasks_name_finished_id", "name", "finished", "id"),
        Index("ix_tasks_worker_finished_id", "worker", "finished", "id"),
        Index("ix_tasks_branch_finished_id", "branch", "finished", "id"),
        Index("ix_tasks_state_rank_id", "state", "rank", "id", "queue"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    kind: Mapped[str] = mapped_column(Word(16))
    name: Mapped[str] = mapped_column(Words)
    branch: Mapped[str] = mapped_column(Word(64))
    arch: Mapped[str] = mapped_column(Word(32))
    spec: Mapped[dict[str, Any]] = mapped_column(JSON)
    key: Mapped[str] = mapped_column(Word(64), default="")
    state: Mapped[str] = mapped_column(Word(16))
    reason: Mapped[str] = mapped_column(Words, default="")
    priority: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str] = mapped_column(Words, default="")
    group_id: Mapped[int | None] = mapped_column(Number, ForeignKey("groups.id"))
    member: Mapped[str] = mapped_column(Words, default="")
    needs: Mapped[list[str]] = mapped_column(JSON, default=list)
    created: Mapped[float]
    changed: Mapped[float]
    started: Mapped[float] = mapped_column(default=0.0)
    finished: Mapped[float] = mapped_column(default=0.0)
    deadline: Mapped[float] = mapped_column(default=0.0, index=True)
    round: Mapped[int] = mapped_column(default=0)
    attempt: Mapped[int] = mapped_column(default=0)
    lost: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str] = mapped_column(Words, default="")
    queue: Mapped[str] = mapped_column(Words, default="")
    rank: Mapped[int] = mapped_column(default=0)
    cores: Mapped[int] = mapped_column(default=0)
    outputs: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    same_as: Mapped[int | None] = mapped_column(Number, ForeignKey("tasks.id"), index=True)
    version: Mapped[str] = mapped_column(Words, default="")
    exit_code: Mapped[int] = mapped_column(default=0)


class AttemptRow(Base):
    """A worker's try at a task; see `lapstrake.farm.values.attempts.Attempt`."""

    __tablename__ = "attempts"
    __table_args__ = (
        Index("ix_attempts_worker_ending", "worker", "ending"),
        Index("ix_attempts_finished_task", "finished", "task"),
    )

    task: Mapped[int] = mapped_column(Number, ForeignKey("tasks.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    round: Mapped[int]
    worker: Mapped[str] = mapped_column(Words)
    incarnation: Mapped[str] = mapped_column(Words)
    executor: Mapped[str] = mapped_column(Words)
    started: Mapped[float]
    finished: Mapped[float] = mapped_column(default=0.0)
    ending: Mapped[str] = mapped_column(Word(16), default="")
    error: Mapped[str] = mapped_column(Words, default="")
    details: Mapped[str] = mapped_column(Words, default="")
    exit_code: Mapped[int] = mapped_column(default=0)
    step: Mapped[str] = mapped_column(Words, default="")
    log_size: Mapped[int] = mapped_column(BigInteger, default=0)
    cores: Mapped[int] = mapped_column(default=0)
    peaks: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    inputs: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)


class GroupRow(Base):
    """A group; its members are the tasks that name it. See `lapstrake.farm.values.groups.Group`."""

    __tablename__ = "groups"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    name: Mapped[str] = mapped_column(Words)
    branch: Mapped[str] = mapped_column(Word(64))
    state: Mapped[str] = mapped_column(Word(16), index=True)
    owner: Mapped[str] = mapped_column(Words, default="")
    stop: Mapped[bool] = mapped_column(default=False)
    cancelled: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int] = mapped_column(default=0)
    created: Mapped[float]
    finished: Mapped[float] = mapped_column(default=0.0)


class WorkerRow(Base):
    """A worker; see `lapstrake.farm.values.workers.Worker`."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(Word(64), primary_key=True)
    incarnation: Mapped[str] = mapped_column(Words)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(Word(16))
    drain: Mapped[bool] = mapped_column(default=False)
    token: Mapped[str] = mapped_column(Words, default="")
    registered: Mapped[float]
    seen: Mapped[float]
    slots: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    load: Mapped[float] = mapped_column(default=0.0)
    memory_free: Mapped[int] = mapped_column(BigInteger, default=0)
    disk_free: Mapped[int] = mapped_column(BigInteger, default=0)
    skew: Mapped[float] = mapped_column(default=0.0)


class EventRow(Base):
    """An event, see `lapstrake.farm.values.history.Event`. No foreign keys: it outlives."""

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_task_id", "task", "id"),
        Index("ix_events_group_id_id", "group_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True)
    at: Mapped[float] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(Word(32))
    task: Mapped[int | None] = mapped_column(Number)
    group_id: Mapped[int | None] = mapped_column(Number)
    worker: Mapped[str] = mapped_column(Words, default="")
    text: Mapped[str] = mapped_column(Words, default="")


class RequestRow(Base):
    """A request that carried an ``Idempotency-Key``, and what came of it."""

    __tablename__ = "requests"

    owner: Mapped[str] = mapped_column(Word(200), primary_key=True)
    key: Mapped[str] = mapped_column(Word(200), primary_key=True)
    content: Mapped[str] = mapped_column(Word(64))
    made: Mapped[list[int]] = mapped_column(JSON)
    at: Mapped[float] = mapped_column(index=True)
