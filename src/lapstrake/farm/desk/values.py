"""Rows to values: what the database has, as the words of `lapstrake.farm.values`."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeVar

from pydantic import TypeAdapter

from lapstrake.farm.model import states
from lapstrake.farm.tables.rows import AttemptRow, EventRow, TaskRow, WorkerRow
from lapstrake.farm.values.attempts import Attempt, Peaks
from lapstrake.farm.values.groups import Member
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.tasks import OutputFile, Task, TaskSpec, TaskState
from lapstrake.farm.values.workers import Slot, Worker, WorkerFacts, WorkerState

T = TypeVar("T")


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - types are no type of their own here
    return TypeAdapter(kind)


def load(kind: type[T], data: object) -> T:
    """Read a value from JSON's parts."""
    value: T = _adapter(kind).validate_python(data)  # type: ignore[arg-type] # types are hashable
    return value


def dump(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    """A value as JSON's parts; ten times as fast as `dataclasses.asdict`."""
    adapter = _adapter(type(value))  # type: ignore[arg-type] # types are hashable
    parts: dict[str, Any] = adapter.dump_python(value, warnings=False)
    return parts


def spec_of(row: TaskRow) -> TaskSpec:
    """What a task is to build."""
    return load(TaskSpec, row.spec)


def outputs_of(row: TaskRow) -> tuple[OutputFile, ...]:
    """What a task made."""
    return tuple(OutputFile(**output) for output in row.outputs)


def task_of(row: TaskRow) -> Task:
    """A task as it stands."""
    state = TaskState(row.state)
    return Task(
        id=row.id,
        spec=spec_of(row),
        state=state,
        priority=row.priority,
        owner=row.owner,
        group=row.group_id,
        member=row.member,
        created=row.created,
        changed=row.changed,
        started=row.started,
        finished=row.finished,
        deadline=row.deadline,
        holder=states.holder(state, worker=row.worker, same_as=row.same_as),
        attempt=row.attempt,
        worker=row.worker,
        reason=row.reason,
        outputs=outputs_of(row),
        same_as=row.same_as,
        version=row.version,
        exit_code=row.exit_code,
    )


def member_of(row: TaskRow) -> Member:
    """A task as a member of its group."""
    return Member(
        name=row.member,
        task=row.id,
        state=TaskState(row.state),
        needs=tuple(row.needs),
        reason=row.reason,
    )


def attempt_of(row: AttemptRow, *, log_size: int) -> Attempt:
    """An attempt as it stands.

    Args:
        row: its row.
        log_size: bytes of its log.
    """
    return Attempt(
        number=row.number,
        worker=row.worker,
        executor=row.executor,
        started=row.started,
        finished=row.finished,
        ending=row.ending,
        error=row.error,
        exit_code=row.exit_code,
        step=row.step,
        log_size=log_size,
        peaks=Peaks(**row.peaks),
    )


def worker_of(row: WorkerRow) -> Worker:
    """A worker as the server last saw it."""
    return Worker(
        facts=load(WorkerFacts, row.facts),
        state=WorkerState(row.state),
        slots=tuple(load(Slot, slot) for slot in row.slots),
        registered=row.registered,
        seen=row.seen,
        load=row.load,
        memory_free=row.memory_free,
        disk_free=row.disk_free,
        skew=row.skew,
        told=row.drain,
    )


def event_of(row: EventRow) -> Event:
    """Something that happened."""
    return Event(
        id=row.id,
        at=row.at,
        kind=row.kind,
        task=row.task,
        group=row.group_id,
        worker=row.worker,
        text=row.text,
    )
