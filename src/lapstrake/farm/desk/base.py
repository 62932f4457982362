"""What all parts of the desk stand on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from lapstrake.config.model import Config
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.desk.change import Change, known_task, run_of
from lapstrake.farm.desk.flow import settle
from lapstrake.farm.desk.logs import Logs
from lapstrake.farm.desk.values import event_of, task_of
from lapstrake.farm.engine.base import Dispatch, Queued, RunId
from lapstrake.farm.problems import Problem
from lapstrake.farm.tables.database import Database
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.tasks import OutputFile, Task

log = logging.getLogger("lapstrake.farm.desk")

Publish = Callable[[Task, Sequence[OutputFile]], Sequence[OutputFile]]
"""Puts a task's results into the branch's repository; may be repeated with the same results.

Raises a `LapstrakeError` when they cannot be published; `Unavailable` and `NoRoom` when it should
be tried again.
"""


class DeskBase:
    """The desk's database, engine and store, and how a change is made.

    Args:
        database: brought to the newest form already.
        dispatch: the engine's server side.
        contents: bundles and results.
        publish: see `Publish`.
        config: all settings.
        clock: seconds since 1970; only the server's time counts on the farm.
    """

    def __init__(
        self,
        database: Database,
        dispatch: Dispatch,
        contents: Contents,
        publish: Publish,
        config: Config,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.database = database
        self.dispatch = dispatch
        self.contents = contents
        self.config = config
        self.clock = clock
        self.since = clock()
        self.lacking_room: Callable[[], str] = str
        """Why the server takes nothing, or empty; who watches the disk sets it."""
        self.journal = Logs(config.work_dir / "farm" / "logs")
        self._publish = publish
        self._listeners: list[Callable[[Event], None]] = []
        self._publishing: set[int] = set()
        self._swept = self.since  # when the last sweep ended
        self._compared = 0.0  # when the engine was last seen to have all that is queued
        self._lock = threading.Lock()

    def subscribe(self, callback: Callable[[Event], None]) -> Callable[[], None]:
        """Hear of everything that happens, once it is kept; in the thread that did it.

        Args:
            callback: quick; what it raises is logged.

        Returns:
            what ends it.
        """
        with self._lock:
            self._listeners.append(callback)

        def end() -> None:
            with self._lock:
                if callback in self._listeners:
                    self._listeners.remove(callback)

        return end

    def task(self, task: int) -> Task:
        """A task as it stands.

        Raises:
            Unknown: no such task.
        """
        with self.database.read() as session:
            return task_of(known_task(session, task))

    @contextmanager
    def _change(self) -> Iterator[Change]:
        """A change of state; once it is kept, the engine and the listeners are told."""
        with self.database.write() as session:
            change = Change(
                session=session,
                now=self.clock(),
                config=self.config.farm,
                longest=self.config.limits.time,
                has=lambda digest: self.contents.size(digest) is not None,
            )
            yield change
            settle(change)
            change.keep_events()
        self._tell_engine(change)
        self._tell_listeners([event_of(row) for row, _ in change.events])

    def _tell_engine(self, change: Change) -> None:
        """Ours first, then the engine; what it does not hear now, the sweep tells it again."""
        try:
            for run in change.cancel:
                self.dispatch.cancel(run)
            enqueue = {run_of(row): (row.queue, row.rank) for row in change.enqueue}
            for run in change.cancel:
                enqueue.pop(run, None)
            self.dispatch.enqueue_all(_queued(enqueue))
            self.dispatch.move(_queued(change.moved))
        except Problem as problem:
            log.warning("the engine did not hear of a change: %s", problem.brief)
            self._compared = 0.0

    def _tell_listeners(self, events: Sequence[Event]) -> None:
        with self._lock:
            listeners = tuple(self._listeners)
        for event in events:
            for listener in listeners:
                try:
                    listener(event)
                except Exception:  # a listener's fault is not the task's
                    log.exception("a listener failed at %s", event.kind)


def _queued(runs: Mapping[RunId, tuple[str, int]]) -> list[Queued]:
    return [Queued(run=run, queue=queue, priority=rank) for run, (queue, rank) in runs.items()]
