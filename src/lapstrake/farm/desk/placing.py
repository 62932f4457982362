"""The desk's counter for placement: what is to be placed, and where it goes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sqlalchemy import select

from lapstrake.farm.desk import flow
from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.values import spec_of, task_of
from lapstrake.farm.model import queues, states
from lapstrake.farm.placement.base import Measured, Place, seat
from lapstrake.farm.tables.rows import AttemptRow, TaskRow, WorkerRow
from lapstrake.farm.values.tasks import Forecast, Task, TaskState

_UNFINISHED = tuple(state for state in TaskState if state not in states.ENDED)


class PlacingDesk(DeskBase):
    """Placement."""

    _forecasts: Mapping[int, Forecast] = MappingProxyType({})

    def unfinished(self) -> tuple[Task, ...]:
        """All tasks that have not ended, the oldest first."""
        query = select(TaskRow).where(TaskRow.state.in_(_UNFINISHED)).order_by(TaskRow.id)
        with self.database.read() as session:
            return tuple(task_of(row) for row in session.scalars(query))

    def edges(self) -> Mapping[int, tuple[int, ...]]:
        """For each unfinished task, the unfinished ones that it waits for."""
        columns = (TaskRow.id, TaskRow.group_id, TaskRow.member, TaskRow.needs, TaskRow.same_as)
        query = select(*columns).where(TaskRow.state.in_(_UNFINISHED))
        with self.database.read() as session:
            rows = session.execute(query).all()
        members = {(group, member): task for task, group, member, _, _ in rows}
        found = {}
        for task, group, _, needs, same_as in rows:
            needed = [members[group, name] for name in needs if (group, name) in members]
            found[task] = (*needed, *([same_as] if same_as is not None else []))
        return found

    def measured(self, limit: int = 20_000) -> tuple[Measured, ...]:
        """What builds that went well took, the newest first.

        Args:
            limit: at most so many.
        """
        query = (
            select(AttemptRow, TaskRow.name, TaskRow.arch)
            .join(TaskRow, TaskRow.id == AttemptRow.task)
            .where(AttemptRow.ending == "success")
            .order_by(AttemptRow.finished.desc())
            .limit(limit)
        )
        facts = select(WorkerRow.name, WorkerRow.facts)
        with self.database.read() as session:
            emulated = {name: said.get("emulated", ()) for name, said in session.execute(facts)}
            return tuple(
                _measured(row, name, seat(row.worker, arch, emulated.get(row.worker, ())))
                for row, name, arch in session.execute(query)
            )

    def held(self) -> Mapping[int, int]:
        """The processors that builds which run were granted; 0 for as their workers like."""
        query = select(TaskRow.id, TaskRow.cores).where(TaskRow.state.in_(states.RUNNING))
        with self.database.read() as session:
            return {task: cores for task, cores in session.execute(query)}  # noqa: C416 - Rows

    def standings(self) -> Mapping[int, Place]:
        """Where each task waits that no worker has, as the engine was told."""
        columns = (TaskRow.id, TaskRow.queue, TaskRow.rank, TaskRow.cores)
        query = select(*columns).where(TaskRow.state.in_(states.NOT_BEGUN))
        with self.database.read() as session:
            return {
                task: Place(queue, rank, cores)
                for task, queue, rank, cores in session.execute(query)
            }

    def place(self, places: Mapping[int, Place]) -> int:
        """Say where tasks wait and how urgent they are.

        Args:
            places: by task.

        Returns:
            how many were still to be placed: no worker has them, and they have not ended.
        """
        with self._change() as change:
            placeable = TaskRow.state.in_(states.NOT_BEGUN)
            query = select(TaskRow).where(TaskRow.id.in_(places), placeable)
            rows = change.session.scalars(query).all()
            for row in rows:
                place, spec = places[row.id], spec_of(row)
                queue = place.queue or queues.queue_of(spec.arch, spec.requires)
                flow.put(change, row, rank=place.priority, queue=queue, cores=place.cores)
        return len(rows)

    def foresee(self, forecasts: Mapping[int, Forecast]) -> None:
        """Keep when tasks are thought to run; those before are forgotten."""
        self._forecasts = dict(forecasts)

    def forecast(self, task: int) -> Forecast | None:
        """When a task is thought to run; ``None`` when nobody knows."""
        return self._forecasts.get(task)


def _measured(row: AttemptRow, name: str, machine: str) -> Measured:
    return Measured(
        package=name,
        machine=machine,
        cores=row.cores,
        wall_seconds=row.peaks.get("wall_seconds", 0.0) or row.finished - row.started,
        cpu_seconds=row.peaks.get("cpu_seconds", 0.0),
        memory=row.peaks.get("memory", 0),
        disk=row.peaks.get("disk", 0),
    )
