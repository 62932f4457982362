"""A slot's side of the engine: take a run, ask whether it is still ours, end it, give it back."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from lapstrake.farm.engine.base import RunId
from lapstrake.farm.engine.database import VERSION, connect, disconnect, reached
from lapstrake.farm.engine.lookout import Lookout

if TYPE_CHECKING:
    from dbos._queue import Queue

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that a slot has taken.

    Attributes:
        run: which.
        token: of this very taking: whoever takes the run after us has another one.
    """

    run: RunId
    token: str


class Claims:
    """What one executor does to the engine's rows. Any thread may call, but one to take and wait.

    Args:
        url: the engine's address, of a role that may use its tables; nothing is made.
        executor: the name that the rows carry while we have them.
        serves: whether a queue's runs are for us.

    Raises:
        Unavailable: (every method) the database cannot be reached.
    """

    def __init__(self, url: str, executor: str, serves: Callable[[str], bool]) -> None:
        # One for whoever takes or ends a run, one for whoever asks if it is ours: seldom both.
        self._client = connect(url, connections=2)
        self._rows = self._client._sys_db  # for what it cannot do itself
        self._runs = self._rows.tables.workflow_status
        self._lookout = Lookout(self._rows.engine)
        self._executor = executor
        self._serves = serves
        self._known = 0
        self._queues: dict[str, Queue] = {}

    def take(self) -> Claim | None:
        """Take the most urgent run of all our queues, the oldest of equals; ``None``: all idle."""
        for _ in range(_TRIES):
            with reached():
                queue = self._most_urgent()
                if queue is None:
                    return None
                self._lookout.close()  # what follows needs its connection
                token = str(uuid.uuid4())
                taken, _reason = self._rows.start_queued_workflows(
                    queue, self._executor, VERSION, None, owner_xid=token, is_latest_version=False
                )
            run = RunId.parse(taken[0]) if taken else None
            if run is not None:
                return Claim(run, token)
            # Somebody else was quicker: look again, there may be more.
        return None

    def wait(self, seconds: float, over: Callable[[], bool] = bool) -> None:
        """Wait until there may be something to take.

        Args:
            seconds: the least from one look to the next.
            over: asked every `seconds`; ends the waiting.
        """
        self._lookout.wait(seconds, self._serves, over)

    def is_ours(self, claim: Claim) -> bool:
        """Whether nobody has cancelled it, given it to others, or ended it."""
        asked = sa.select(sa.literal(1)).where(
            self._runs.c.workflow_uuid == str(claim.run),
            self._runs.c.status == "PENDING",
            self._runs.c.owner_xid == claim.token,
        )
        with reached(), self._rows.engine.connect() as connection:
            return connection.scalar(asked) is not None

    def end(self, claim: Claim) -> bool:
        """It is over, however it went; gives whether it was still ours."""
        with reached():
            return self._rows.update_workflow_outcome(
                str(claim.run), "SUCCESS", owner_xid=claim.token
            )

    def give_back(self) -> None:
        """Let others take whatever this executor has."""
        held = sa.select(self._runs.c.workflow_uuid, self._runs.c.queue_name).where(
            self._runs.c.status == "PENDING", self._runs.c.executor_id == self._executor
        )
        with reached():
            with self._rows.engine.connect() as connection:
                found = connection.execute(held).all()
            for name, queue in found:
                self._rows.reenqueue_for_recovery(name, [self._executor], queue)

    def close(self) -> None:
        """Let go of the database."""
        self._lookout.close()
        disconnect(self._client)

    def _most_urgent(self) -> Queue | None:
        """Find the queue that has the most urgent run; one quick question for all queues."""
        while True:
            number, name = self._lookout.ask(self._question())
            if number == self._known:
                return self._queues[name] if name is not None else None
            self._learn_queues(number)

    def _question(self) -> sa.Select[int, str | None]:
        """How many queues there are, and which of ours has the most urgent run."""
        runs, queues = self._runs.c, self._rows.tables.queues
        first = (
            sa.select(runs.queue_name)
            .where(
                runs.queue_name.in_(self._queues),
                # Said literally: SQLite uses the index of what waits only if it can see this.
                runs.status == sa.literal_column("'ENQUEUED'"),
                runs.application_version == VERSION,
            )
            .order_by(runs.priority, runs.created_at)
            .limit(1)
        )
        number = sa.select(sa.func.count()).select_from(queues)
        return sa.select(number.scalar_subquery(), first.scalar_subquery())

    def _learn_queues(self, number: int) -> None:
        """Learn of queues that are new since: there are few, and they come seldom."""
        with self._rows.engine.connect() as connection:
            names = connection.scalars(sa.select(self._rows.tables.queues.c.name)).all()
        for name in names:
            if name not in self._queues and self._serves(name):
                queue = self._client.retrieve_queue(name)
                if queue is not None:
                    self._queues[name] = queue
        self._known = number
