"""What the desk keeps, and for how long."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import delete, select

from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.tables.rows import EventRow, RequestRow, TaskRow
from lapstrake.host.files import remove_tree

REQUEST_SECONDS = 86400.0
"""How long an ``Idempotency-Key`` is remembered."""

_AT_ONCE = 500


class KeepingDesk(DeskBase):
    """Retention."""

    def referenced(self) -> frozenset[str]:
        """The digests of all that is still of use.

        Bundles of tasks that may still run or be tried again, and what tasks made, until they have
        ended for as long as ``farm.keep``.
        """
        since = self.clock() - self.config.farm.keep
        query = select(TaskRow.spec, TaskRow.outputs).where(
            (TaskRow.finished == 0) | (TaskRow.finished >= since)
        )
        found: set[str] = set()
        with self.database.read() as session:
            for spec, outputs in session.execute(query.execution_options(yield_per=_AT_ONCE)):
                found.update(output["digest"] for output in outputs)
                found.add(spec["bundle"])
        return frozenset(found - {""})

    def prune(self) -> None:
        """Drop logs, events and remembered requests that are older than they are kept.

        Tasks themselves, their attempts and what those used stay: placement learns from them.
        """
        before = self.clock() - self.config.farm.keep
        for task in self._old(before):
            remove_tree(self.journal.folder / str(task))
        with self._change() as change:
            remembered = RequestRow.at < change.now - REQUEST_SECONDS
            change.session.execute(delete(RequestRow).where(remembered))
            change.session.execute(delete(EventRow).where(EventRow.at < before))
        self.dispatch.prune(before)

    def _old(self, before: float) -> Iterator[int]:
        """Tasks with logs that ended before a time."""
        if not self.journal.folder.is_dir():
            return
        names = [entry.name for entry in self.journal.folder.iterdir()]
        tasks = sorted(int(name) for name in names if name.isdecimal())
        for start in range(0, len(tasks), _AT_ONCE):
            some = TaskRow.id.in_(tasks[start : start + _AT_ONCE])
            query = select(TaskRow.id).where(some, TaskRow.finished > 0, TaskRow.finished < before)
            with self.database.read() as session:
                yield from session.scalars(query).all()
