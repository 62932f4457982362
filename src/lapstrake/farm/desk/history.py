"""The desk's counter for what happened, and why things wait."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Row, func, select, tuple_
from sqlalchemy.orm import Session

from lapstrake.farm.desk import specs
from lapstrake.farm.desk.change import known_task
from lapstrake.farm.desk.paging import moment_after, number_after, page_of
from lapstrake.farm.desk.placing import PlacingDesk
from lapstrake.farm.desk.values import event_of, member_of, spec_of, worker_of
from lapstrake.farm.model.waiting import Facts, waits
from lapstrake.farm.tables.rows import AttemptRow, EventRow, TaskRow, WorkerRow
from lapstrake.farm.values.attempts import Peaks
from lapstrake.farm.values.groups import Member
from lapstrake.farm.values.history import Ended, Event
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import TaskState, Wait

_COUNTED_SECONDS = 1.0


class HistoryDesk(PlacingDesk):
    """What happened, and why things wait."""

    _counted: tuple[float, Mapping[TaskState, int]] = (0.0, {})

    def events(
        self,
        *,
        after: str = "",
        task: int | None = None,
        group: int | None = None,
        limit: int = 200,
    ) -> Page[Event]:
        """What happened, the oldest first.

        Args:
            after: an event's id, or what the page before said.
            task: only of this one.
            group: likewise.
            limit: 1 to 200.

        Raises:
            Invalid: `after` or `limit` makes no sense.
        """
        query = select(EventRow).order_by(EventRow.id)
        last = number_after(after)
        if last is not None:
            query = query.where(EventRow.id > last)
        if task is not None:
            query = query.where(EventRow.task == task)
        if group is not None:
            query = query.where(EventRow.group_id == group)
        with self.database.read() as session:
            return page_of(session.scalars, query, limit, event_of, lambda row: row.id)

    def newest_event(self) -> int:
        """The id of what happened last; 0 when nothing has."""
        with self.database.read() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0

    def counts(self) -> Mapping[TaskState, int]:
        """How many tasks there are in each state; up to a second old."""
        at, found = self._counted
        if self.clock() - at > _COUNTED_SECONDS:
            query = select(TaskRow.state, func.count()).group_by(TaskRow.state)
            with self.database.read() as session:
                rows = session.execute(query).all()
            found = dict.fromkeys(TaskState, 0) | {TaskState(state): n for state, n in rows}
            self._counted = (self.clock(), found)
        return found

    def history(
        self,
        *,
        name: str = "",
        branch: str = "",
        worker: str = "",
        since: float = 0.0,
        until: float = 0.0,
        after: str = "",
        limit: int = 50,
    ) -> Page[Ended]:
        """Tasks that have ended, the newest end first.

        Args:
            name: only of this; likewise `branch` and `worker`.
            branch: see `name`.
            worker: see `name`.
            since: only those that ended then or later.
            until: only those that ended before; 0 for all.
            after: what the page before said.
            limit: 1 to 200.

        Raises:
            Invalid: `after` or `limit` makes no sense.
        """
        query = (
            select(TaskRow, AttemptRow)
            .outerjoin(
                AttemptRow, (AttemptRow.task == TaskRow.id) & (AttemptRow.number == TaskRow.attempt)
            )
            .where(TaskRow.finished >= since if since > 0 else TaskRow.finished > 0)
            .order_by(TaskRow.finished.desc(), TaskRow.id.desc())
        )
        if until:
            query = query.where(TaskRow.finished < until)
        for column, value in (("name", name), ("branch", branch), ("worker", worker)):
            if value:
                query = query.where(getattr(TaskRow, column) == value)
        if after:
            query = query.where(tuple_(TaskRow.finished, TaskRow.id) < moment_after(after))
        with self.database.read() as session:
            return page_of(session.execute, query, limit, _ended, lambda row: _moment(row[0]))

    def why(self, task: int) -> tuple[Wait, ...]:
        """Why a task waits; empty when it does not.

        Raises:
            Unknown: no such task.
        """
        with self.database.read() as session:
            row = known_task(session, task)
            spec = spec_of(row)
            heard = max(row.changed, self.journal.changed(task, row.attempt))
            facts = Facts(
                task=task,
                state=TaskState(row.state),
                now=self.clock(),
                deadline=row.deadline,
                lacks=specs.lacks(spec),
                same_as=row.same_as,
                needs=_needs(session, row),
                queue=row.queue,
                ahead=_ahead(session, row),
                workers=tuple(worker_of(each) for each in session.scalars(select(WorkerRow))),
                worker=row.worker,
                quiet=self.config.farm.dead_after,
                unheard=self.clock() - heard,
                silence=spec.silence or self.config.farm.silence_limit,
                forecast=self.forecast(task),
                reason=row.reason,
                room=self.lacking_room(),
            )
        return waits(facts)


def _needs(session: Session, row: TaskRow) -> tuple[Member, ...]:
    """The members that a waiting member needs."""
    if row.state != TaskState.WAITING or not row.needs:
        return ()
    query = select(TaskRow).where(TaskRow.group_id == row.group_id, TaskRow.member.in_(row.needs))
    return tuple(member_of(each) for each in session.scalars(query.order_by(TaskRow.id)))


def _ahead(session: Session, row: TaskRow) -> int:
    """Tasks in the same queue that come before."""
    if row.state != TaskState.QUEUED:
        return 0
    first = (TaskRow.rank > row.rank) | ((TaskRow.rank == row.rank) & (TaskRow.id < row.id))
    query = select(func.count()).where(
        TaskRow.state == TaskState.QUEUED, TaskRow.queue == row.queue, first
    )
    return session.scalar(query) or 0


def _ended(row: Row[TaskRow, AttemptRow]) -> Ended:
    task, trial = row
    return Ended(
        task=task.id,
        name=task.name,
        branch=task.branch,
        arch=task.arch,
        state=TaskState(task.state),
        worker=task.worker,
        finished=task.finished,
        seconds=trial.finished - trial.started if trial is not None and trial.finished else 0.0,
        peaks=Peaks(**trial.peaks) if trial is not None else Peaks(),
    )


def _moment(task: TaskRow) -> str:
    return f"{task.finished!r}-{task.id}"
