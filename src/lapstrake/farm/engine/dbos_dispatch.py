"""The server's side of the engine: give it runs, take them back, see who has them."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lapstrake.farm.engine.base import Queued, RunId, Running
from lapstrake.farm.engine.database import (
    APPLICATION,
    VERSION,
    connect,
    disconnect,
    migrate,
    reached,
)
from lapstrake.farm.engine.lookout import tell_slots

if TYPE_CHECKING:
    from dbos import EnqueueOptions

WORK = "task"
"""What all runs are called in the engine: there is one kind of work."""

_LOWEST = 200_000  # the engine's 1 is its first; ours reaches 100,999, the largest first
_AT_ONCE = 2000
_COLUMN = {"app_version": "application_version"}  # of what DBOS calls otherwise in its tables


class DbosDispatch:
    """`Dispatch` on DBOS' tables.

    Args:
        url: where they are; they are made, or brought up to date.

    Raises:
        Unavailable: the database cannot be reached.
        ConfigError: the address is none.
    """

    def __init__(self, url: str) -> None:
        self._client = connect(url, connections=4)
        migrate(self._client)
        self._rows = self._client._sys_db  # for what it cannot do itself
        self._runs = self._rows.tables.workflow_status
        self._queues: set[str] = set()
        self._opening = threading.Lock()

    def enqueue_all(self, runs: Sequence[Queued]) -> None:
        """Give it runs, all at once; see `Dispatch`."""
        if not runs:
            return
        with reached():
            for queue in {each.queue for each in runs}:
                self._open_queue(queue)
            wanted = [self._client._build_enqueue_status(_options(each))[1] for each in runs]
            tables = self._rows.tables
            with self._rows.engine.begin() as connection:
                # One statement for all: DBOS' own ways compile or ask for each.
                connection.execute(self._unless_known(tables.workflow_status), _rows(wanted))
                inputs = [
                    {"workflow_uuid": each["workflow_uuid"], "inputs": each["inputs"]}
                    for each in wanted
                ]
                connection.execute(self._unless_known(tables.workflow_input), inputs)
                tell_slots(connection, (each.queue for each in runs))

    def cancel(self, run: RunId) -> None:
        """Take a run back; see `Dispatch`."""
        with reached():
            self._client.cancel_workflow(str(run))

    def move(self, runs: Sequence[Queued]) -> None:
        """Give runs that nobody has taken another queue or priority; see `Dispatch`."""
        if not runs:
            return
        change = (
            sa.update(self._runs)
            .where(self._runs.c.workflow_uuid == sa.bindparam("run"))
            .where(self._runs.c.status == "ENQUEUED")
            .values(queue_name=sa.bindparam("queue"), priority=sa.bindparam("rank"))
        )
        with reached():
            for queue in {each.queue for each in runs}:
                self._open_queue(queue)
            rows = [
                {"run": str(each.run), "queue": each.queue, "rank": _LOWEST - each.priority}
                for each in sorted(runs, key=lambda each: each.run)  # two movers never meet
            ]
            with self._rows.engine.begin() as connection:
                connection.execute(change, rows)
                tell_slots(connection, (each.queue for each in runs))

    def running(self) -> Sequence[Running]:
        """All that slots have taken and not ended; see `Dispatch`."""
        taken = sa.select(
            self._runs.c.workflow_uuid, self._runs.c.queue_name, self._runs.c.executor_id
        ).where(self._runs.c.status == "PENDING")
        with reached(), self._rows.engine.connect() as connection:
            found = connection.execute(taken).all()
        return [
            Running(run=run, queue=queue or "", executor=executor or "")
            for name, queue, executor in found
            if (run := RunId.parse(name)) is not None
        ]

    def give_back(self, runs: Iterable[Running]) -> None:
        """Let others take what lost slots had; see `Dispatch`.

        Nothing happens to a run that has ended, was cancelled, or that another slot has by now.
        """
        with reached():
            for each in runs:
                self._rows.reenqueue_for_recovery(str(each.run), [each.executor], each.queue)

    def known(self, runs: Iterable[RunId]) -> frozenset[RunId]:
        """Those that the engine has heard of; see `Dispatch`."""
        return self._find(runs, sa.true())

    def alive(self, runs: Iterable[RunId]) -> frozenset[RunId]:
        """Those that wait or that a slot has taken; see `Dispatch`."""
        return self._find(runs, self._runs.c.status.in_(("ENQUEUED", "PENDING")))

    def prune(self, before: float) -> int:
        """Forget runs that ended before a time; see `Dispatch`."""
        old = sa.select(self._runs.c.workflow_uuid)
        old = old.where(self._runs.c.completed_at < int(before * 1000)).limit(_AT_ONCE)
        gone = 0
        with reached():
            while True:
                with self._rows.engine.connect() as connection:
                    names = list(connection.scalars(old))
                if not names:
                    return gone
                self._client.delete_workflows(names)
                gone += len(names)

    def close(self) -> None:
        """Let go of the database."""
        disconnect(self._client)

    def _find(self, runs: Iterable[RunId], condition: sa.ColumnElement[bool]) -> frozenset[RunId]:
        runs = tuple(runs)
        name = self._runs.c.workflow_uuid
        found: set[str] = set()
        with reached(), self._rows.engine.connect() as connection:
            for start in range(0, len(runs), _AT_ONCE):
                some = [str(run) for run in runs[start : start + _AT_ONCE]]
                found.update(connection.scalars(sa.select(name).where(name.in_(some), condition)))
        return frozenset(run for run in runs if str(run) in found)

    def _unless_known(self, table: sa.Table) -> sa.Insert:
        insert: sa.Insert = self._rows.dialect.insert(table).on_conflict_do_nothing(
            index_elements=["workflow_uuid"]
        )
        return insert

    def _open_queue(self, name: str) -> None:
        """Let slots know of a queue: they look for names that they serve."""
        if name in self._queues:
            return
        with self._opening:
            self._client.register_queue(name, worker_concurrency=1, on_conflict="never_update")
            self._queues.add(name)


def _options(queued: Queued) -> EnqueueOptions:
    return {
        "workflow_name": WORK,
        "workflow_id": str(queued.run),
        "queue_name": queued.queue,
        "priority": _LOWEST - queued.priority,
        "app_version": VERSION,
        "application_name": APPLICATION,
    }


def _rows(wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of runs that wait: what is not said is the table's default."""
    return [
        {"recovery_attempts": 0}
        | {
            _COLUMN.get(name, name): value
            for name, value in status.items()
            if value is not None and name != "inputs"
        }
        for status in wanted
    ]
