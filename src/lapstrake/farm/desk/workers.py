"""The desk's counter for workers: to come, to be seen, to drain, to go."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from lapstrake import __version__
from lapstrake.farm.desk.base import DeskBase
from lapstrake.farm.desk.change import hear, known_worker
from lapstrake.farm.desk.holders import check_owner
from lapstrake.farm.desk.values import dump, worker_of
from lapstrake.farm.model import queues
from lapstrake.farm.model.protocol import PROTOCOL, check_protocol
from lapstrake.farm.problems import Invalid, NoRoom, Unavailable, WrongState
from lapstrake.farm.tables.rows import AttemptRow, WorkerRow
from lapstrake.farm.values.workers import (
    AWAY,
    HERE,
    Heartbeat,
    Orders,
    Welcome,
    Worker,
    WorkerFacts,
    WorkerState,
)

_SKEWED = 5.0


class WorkerDesk(DeskBase):
    """Workers."""

    def register(self, facts: WorkerFacts, token_name: str = "", engine: str = "") -> Welcome:
        """Let a worker in.

        Args:
            facts: what it says of its machine.
            token_name: of the token that it showed.
            engine: the engine's address for it; empty for the configured one.

        Raises:
            OtherVersion: it speaks another protocol.
            WrongState: another one of that name lives.
            NotAllowed: the name belongs to another token.
            Invalid: its facts make no sense.
        """
        queues.check_worker_name(facts.name)
        versions = f"it has Lapstrake {facts.version or 'of old'}, the server {__version__}"
        check_protocol(facts.protocol, PROTOCOL, name=facts.name, versions=versions)
        if not facts.arches or facts.slots < 1 or not facts.incarnation:
            raise Invalid("a worker has an incarnation, an architecture and a slot at least")
        with self._change() as change:
            row = change.session.get(WorkerRow, facts.name)
            if row is None:
                row = WorkerRow(name=facts.name, seen=0.0, state=WorkerState.GONE.value)
                change.session.add(row)
            else:
                check_owner(change.session, row, token_name, change.now)
                self._check_rival(row, facts, token_name, change.now)
            row.incarnation, row.facts = facts.incarnation, dump(facts)
            row.token, row.registered = token_name, change.now
            row.slots, row.memory_free, row.disk_free = [], facts.memory, facts.disk
            row.skew = facts.clock - change.now if facts.clock else 0.0
            hear(change, row, _greeting(row.skew))
            return Welcome(
                engine=engine or self.config.farm.worker_database,
                heartbeat=self.config.farm.heartbeat,
                fence=self.config.farm.fence_after,
                clock=change.now,
                version=__version__,
                protocol=PROTOCOL,
            )

    def _check_rival(self, row: WorkerRow, facts: WorkerFacts, token: str, now: float) -> None:
        """Refuse a worker whose name another one has that may live."""
        if row.state in AWAY:
            return
        ours = row.token == token
        if ours and row.incarnation in {facts.incarnation, facts.replaces}:
            return
        if ours and facts.embedded and row.facts["embedded"]:  # the server has one, and started it
            return
        silent, patience = now - row.seen, self.config.farm.dead_after
        if silent < patience:
            raise WrongState(
                f"another worker called {facts.name} is here, seen {silent:.0f} s ago",
                resolution="Give each worker its own name (--name NAME); one that was restarted "
                f"elsewhere is let in after {patience:.0f} s of silence.",
                fields={"wait": patience - silent},
            )

    def heartbeat(self, name: str, beat: Heartbeat) -> Orders:
        """See that a worker lives; tell it what to do.

        Raises:
            Unknown: no such worker.
            WrongState: another incarnation is registered, or it was given up: it registers again.
        """
        try:
            return self._see(name, beat)
        except (NoRoom, Unavailable):
            self.since = self.clock()  # it is our fault that nobody is seen now
            raise

    def _see(self, name: str, beat: Heartbeat) -> Orders:
        with self._change() as change:
            row = known_worker(change.session, name)
            known = row.incarnation == beat.incarnation and row.state not in AWAY
            if not known or row.facts.get("protocol", 1) != PROTOCOL:  # we were upgraded since
                raise WrongState(
                    f"this {name} is not registered any more", resolution="Register again."
                )
            row.seen, row.load = change.now, beat.load
            row.slots = [asdict(slot) for slot in beat.slots]
            row.memory_free, row.disk_free = beat.memory_free, beat.disk_free
            row.skew = beat.clock - change.now if beat.clock else 0.0
            draining = row.drain or beat.draining
            state = WorkerState.DRAINING if draining else WorkerState.ONLINE
            if row.state != state:
                row.state = state.value
                change.tell(f"worker.{state.value}", worker=name)
            return Orders(
                drain=draining,
                cancel=_dead(change.session, beat),
            )

    def goodbye(self, name: str, incarnation: str) -> None:
        """Let a worker go; what it still held is given to others.

        Raises:
            Unknown: no such worker.
            WrongState: another incarnation is registered.
        """
        with self._change() as change:
            row = known_worker(change.session, name)
            if row.incarnation != incarnation:
                raise WrongState(f"another {name} is registered")
            row.state, row.slots = WorkerState.GONE.value, []
            change.tell("worker.gone", worker=name)

    def workers(self) -> tuple[Worker, ...]:
        """All workers, by name."""
        with self.database.read() as session:
            query = select(WorkerRow).order_by(WorkerRow.name)
            return tuple(worker_of(row) for row in session.scalars(query))

    def worker(self, name: str) -> Worker:
        """A worker as last seen.

        Raises:
            Unknown: no such worker.
        """
        with self.database.read() as session:
            return worker_of(known_worker(session, name))

    def drain(self, name: str, on: bool) -> Worker:
        """Let a worker take nothing new, or take tasks again.

        Raises:
            Unknown: no such worker.
        """
        with self._change() as change:
            row = known_worker(change.session, name)
            row.drain = on
            if row.state in HERE:
                row.state = (WorkerState.DRAINING if on else WorkerState.ONLINE).value
                change.tell(f"worker.{row.state}", worker=name)
            return worker_of(row)

    def forget(self, name: str) -> None:
        """Drop a worker that is no more.

        Raises:
            Unknown: no such worker.
            WrongState: it is still there.
        """
        with self._change() as change:
            row = known_worker(change.session, name)
            if row.state not in AWAY:
                raise WrongState(f"{name} is {row.state}", resolution="Stop it first.")
            change.session.delete(row)
            change.tell("worker.forgotten", worker=name)


def _dead(session: Session, beat: Heartbeat) -> tuple[int, ...]:
    """Of the tasks that a worker's slots run, those that are not its any more."""
    found = []
    for slot in beat.slots:
        if slot.task is None:
            continue
        trial = session.get(AttemptRow, (slot.task, slot.attempt)) if slot.attempt else None
        if trial is not None and trial.ending not in {"", "success", "failed"}:
            found.append(slot.task)
    return tuple(found)


def _greeting(skew: float) -> str:
    if abs(skew) <= _SKEWED:
        return ""
    return f"its clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
