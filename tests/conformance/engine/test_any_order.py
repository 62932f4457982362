"""Whatever server and slots do, in whatever order: a run has one owner, and ends once."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from lapstrake.farm.engine.base import Queued, RunId, Running
from lapstrake.farm.engine.claims import Claim, Claims
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch

_SERVES = {"one": {"x"}, "two": {"x", "y"}}
_FEW = 3  # so that the same ones are taken, lost and taken again
_NUMBERS = itertools.count(1)


class Engine(RuleBasedStateMachine):
    """The engine beside what we think of it; runs and queues of each example are new ones."""

    dispatch: DbosDispatch
    slots: dict[str, Claims]
    example: int

    runs: Bundle[RunId] = Bundle("runs")
    claims: Bundle[tuple[str, Claim]] = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        type(self).example += 1
        self.waiting: dict[RunId, tuple[str, int]] = {}
        self.owners: dict[RunId, tuple[str, Claim]] = {}
        self.taken_from: dict[RunId, tuple[str, int]] = {}
        self.seen: list[Running] = []
        self.lost: list[tuple[str, Claim]] = []

    def queue(self, letter: str) -> str:
        return f"{letter}.{self.example}"

    @precondition(lambda self: len(self.waiting) + len(self.owners) < _FEW)
    @rule(target=runs, letter=st.sampled_from("xy"), priority=st.integers(-2, 2))
    def enqueue(self, letter: str, priority: int) -> RunId:
        run = RunId(next(_NUMBERS))
        self.dispatch.enqueue_all([Queued(run=run, queue=self.queue(letter), priority=priority)])
        self.waiting[run] = (letter, priority)
        return run

    @rule(run=runs)
    def enqueue_again(self, run: RunId) -> None:
        self.dispatch.enqueue_all([Queued(run=run, queue=self.queue("x"), priority=100)])

    @rule(run=runs, letter=st.sampled_from("xyz"), priority=st.integers(-2, 2))
    def move(self, run: RunId, letter: str, priority: int) -> None:
        self.dispatch.move([Queued(run=run, queue=self.queue(letter), priority=priority)])
        if run in self.waiting:
            self.waiting[run] = (letter, priority)

    @rule(run=runs)
    def cancel(self, run: RunId) -> None:
        self.dispatch.cancel(run)
        self.waiting.pop(run, None)
        if run in self.owners:
            self.lost.append(self.owners.pop(run))

    @rule(target=claims, slot=st.sampled_from(sorted(_SERVES)))
    def take(self, slot: str) -> Any:
        served = _SERVES[slot]
        there = {run: rank for run, (letter, rank) in self.waiting.items() if letter in served}
        claim = self.slots[slot].take()
        if claim is None:
            assert not there
            return multiple()
        assert there[claim.run] == max(there.values())
        place = self.taken_from[claim.run] = self.waiting.pop(claim.run)
        self.owners[claim.run] = (slot, claim)
        self.seen.append(Running(run=claim.run, queue=self.queue(place[0]), executor=slot))
        return (slot, claim)

    @rule(held=consumes(claims))
    def end(self, held: tuple[str, Claim]) -> None:
        slot, claim = held
        mine = self.owners.get(claim.run) == held
        assert self.slots[slot].end(claim) == mine
        if mine:
            del self.owners[claim.run]

    @rule(pick=st.integers(0, 3))
    def sweep_with_what_was_seen_once(self, pick: int) -> None:
        """The worker was thought dead: perhaps rightly, perhaps long after."""
        if not self.seen:
            return
        old = self.seen[-1 - pick % len(self.seen)]
        self.dispatch.give_back([old])
        slot, _ = self.owners.get(old.run, ("", None))
        if slot == old.executor:
            self._waits_again(old.run)

    @rule(slot=st.sampled_from(sorted(_SERVES)))
    def slot_gives_back(self, slot: str) -> None:
        self.slots[slot].give_back()
        for run in [run for run, (owner, _) in self.owners.items() if owner == slot]:
            self._waits_again(run)

    @invariant()
    def everybody_agrees(self) -> None:
        running = {each.run: each.executor for each in self.dispatch.running()}
        assert running == {run: slot for run, (slot, _) in self.owners.items()}
        assert self.dispatch.alive(self.waiting) == self.waiting.keys()

    @invariant()
    def owners_know(self) -> None:
        for slot, claim in self.owners.values():
            assert self.slots[slot].is_ours(claim)

    @invariant()
    def who_lost_it_is_refused(self) -> None:
        for slot, claim in self.lost[-2:]:
            assert not self.slots[slot].is_ours(claim)
            assert not self.slots[slot].end(claim)

    def _waits_again(self, run: RunId) -> None:
        self.lost.append(self.owners.pop(run))
        self.waiting[run] = self.taken_from[run]

    def teardown(self) -> None:
        """Leave nothing for the next example."""
        for run in [*self.waiting, *self.owners]:
            self.dispatch.cancel(run)


def test_any_order(farm_database: str) -> None:
    class Here(Engine):
        dispatch = DbosDispatch(farm_database)
        example = 0

    def serving(letters: set[str]) -> Any:
        return lambda queue: queue[0] in letters

    Here.slots = {name: Claims(farm_database, name, serving(_SERVES[name])) for name in _SERVES}
    run_state_machine_as_test(
        Here,
        # Not made smaller when it fails: what an example left in the database would confuse others.
        settings=settings(
            max_examples=8, stateful_step_count=40, deadline=None, phases=[Phase.generate],
            database=None, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    for claims in Here.slots.values():
        claims.close()
    Here.dispatch.close()
