"""The desk's counter for what happened, and why things wait."""

from __future__ import annotations

from sqlalchemy import select

from lapstrake.farm.base import Event, Page, TaskState, Wait
from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.change import known_task
from lapstrake.farm.desk.paging import number_after, page_of
from lapstrake.farm.desk.values import event_of
from lapstrake.farm.tables.rows import EventRow


class HistoryDesk(DeskBase):
    """What happened, and why things wait."""

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

    def why(self, task: int) -> tuple[Wait, ...]:
        """Why a task waits; empty when it does not.

        Raises:
            Unknown: no such task.
        """
        with self.database.read() as session:
            row = known_task(session, task)
            if row.state in {TaskState.NEW, TaskState.WAITING, TaskState.QUEUED}:
                return (Wait(reason=row.reason or f"it is {row.state}"),)
            return ()
