"""Schedules are possible, never better than the bounds, and never worse than the fast default."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.farm.placement.assign import by_queue, least_makespan, quick
from lapstrake.farm.placement.base import Load, Machine, Schedule
from lapstrake.farm.placement.bounds import Study
from lapstrake.farm.placement.critical import LEVELS, heads, order, ranks, urgency
from lapstrake.farm.placement.in_time import InTime
from lapstrake.farm.placement.insertion import Follow, insert
from lapstrake.farm.placement.rules import FirstIdle, Rule
from lapstrake.farm.placement.simulate import Busy, Loss, replay
from lapstrake.farm.placement.solve import seats

Make = Callable[[Sequence[Load], Sequence[Machine]], Rule]
RULES: dict[str, Make] = {
    "first come": lambda loads, _: FirstIdle(loads),
    "by queue": by_queue,
    "in time": lambda loads, machines: InTime(Study(loads, machines)),
    "quick": lambda loads, machines: quick(loads, machines).make(),
    "least makespan": lambda loads, machines: least_makespan(loads, machines).make(),
}


def case(seed: int, count: int = 16) -> tuple[list[Load], list[Machine]]:
    """A graph from a seed, on machines that all can run everything."""
    chance = random.Random(seed)
    loads = [
        Load(
            name=f"p{n}",
            work=math.exp(chance.gauss(4, 1)),
            loss=chance.choice((0.0, 0.02, 0.1, 1.0)),
            memory=chance.uniform(0, 2),
            memory_per_core=chance.choice((0.0, 0.5)),
            disk=chance.uniform(0, 3),
            needs=tuple({chance.randrange(n) for _ in range(chance.choice((0, 0, 1, 3))) if n}),
        )
        for n in range(count)
    ]
    machines = [
        Machine(
            name=f"m{n}",
            cores=chance.choice((1, 4, 8)),
            slots=chance.choice((1, 2, 4)),
            speed=math.exp(chance.gauss(0, 0.5)),
            memory=chance.choice((0, 3, 8)),
            disk=chance.choice((0, 4)),
        )
        for n in range(chance.choice((1, 2, 5)))
    ]
    return loads, machines


def check(loads: Sequence[Load], machines: Sequence[Machine], schedule: Schedule) -> None:
    """Everything runs once, after what it needs, and no machine is ever overfull."""
    ends = {one.load: one.finish for one in schedule.placed}
    assert sorted(ends) == list(range(len(loads)))
    for one in schedule.placed:
        assert one.cores >= 1
        assert all(ends[other] <= one.start + 1e-6 for other in loads[one.load].needs)
        beside = [
            other
            for other in schedule.placed
            if other.machine == one.machine and other.start <= one.start < other.finish - 1e-6
        ]
        machine = machines[one.machine]
        assert len(beside) <= machine.slots
        assert sum(other.cores for other in beside) <= machine.cores
        if machine.memory:
            taken = sum(loads[other.load].memory_with(other.cores) for other in beside)
            assert taken <= machine.memory + 1e-6
        if machine.disk:
            assert sum(loads[other.load].disk for other in beside) <= machine.disk + 1e-6


@pytest.mark.parametrize("rule", sorted(RULES))
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_schedules_are_possible_and_not_too_good_to_be_true(rule: str, seed: int) -> None:
    loads, machines = case(seed)
    schedule = replay(loads, machines, RULES[rule](loads, machines))
    check(loads, machines, schedule)
    assert schedule.makespan >= Study(loads, machines).bounds.best * (1 - 1e-9)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_builds_that_take_longer_than_thought_change_no_rule(seed: int) -> None:
    loads, machines = case(seed)
    chance = random.Random(seed)
    factors = [math.exp(chance.gauss(0, 0.5)) for _ in loads]
    for make in RULES.values():
        schedule = replay(loads, machines, make(loads, machines), factors=factors)
        check(loads, machines, schedule)


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_least_makespan_is_never_worse_than_the_default_and_keeps_its_word(seed: int) -> None:
    loads, machines = case(seed)
    found, default = least_makespan(loads, machines), quick(loads, machines)
    assert found.schedule.makespan <= default.schedule.makespan
    for each in (found, default):
        assert replay(loads, machines, each.make()).makespan == each.schedule.makespan


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_quick_way_binds_only_where_the_queue_does_worse(seed: int) -> None:
    loads, machines = case(seed)
    found, queue = quick(loads, machines), replay(loads, machines, by_queue(loads, machines))
    assert found.schedule.makespan <= queue.makespan
    assert found.bound == (found.schedule.makespan < queue.makespan)


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), when=st.floats(0, 1000))
def test_what_a_lost_machine_had_runs_on_another(seed: int, when: float) -> None:
    loads, machines = case(seed)
    machines.append(Machine(name="stays", slots=2, cores=8))
    study = Study(loads, machines)
    for rule in (by_queue(loads, machines), InTime(study), Follow(study, insert(study))):
        schedule = replay(loads, machines, rule, losses=[Loss(when, 0)])
        check(loads, machines, schedule)
        assert all(one.machine != 0 or one.finish <= when for one in schedule.placed)


def test_a_long_chain_waits_for_the_fast_machine() -> None:
    machines = [Machine(name="slow", speed=0.1), Machine(name="fast", speed=1.0)]
    loads = [Load(name="short", work=1.0), Load(name="a", work=50.0)]
    loads.append(Load(name="b", work=50.0, needs=(1,)))
    found = least_makespan(loads, machines).schedule
    assert found.makespan == pytest.approx(100.0)


def test_who_is_in_the_longest_chain_has_the_whole_machine() -> None:
    machines = [Machine(name=f"m{n}", cores=8, slots=4) for n in range(4)]
    loads = [Load(name="0", work=80.0)]
    loads += [Load(name=str(n), work=80.0, needs=(n - 1,)) for n in range(1, 10)]
    loads += [Load(name=f"small{n}", work=20.0) for n in range(20)]
    found = quick(loads, machines)
    assert found.bound
    assert found.schedule.makespan == pytest.approx(100.0)
    assert {one.cores for one in found.schedule.placed if one.load < 10} == {8}


def test_what_fits_nowhere_is_left_out_with_what_needs_it() -> None:
    machines = [Machine(name="m", memory=10)]
    loads = [
        Load(name="huge", work=1.0, memory=11.0),
        Load(name="user", work=1.0, needs=(0,)),
        Load(name="small", work=1.0),
        Load(name="elsewhere", work=1.0, machines=frozenset({"other"})),
    ]
    for make in RULES.values():
        schedule = replay(loads, machines, make(loads, machines))
        assert [one.load for one in schedule.placed] == [2]


def test_what_runs_already_is_waited_for() -> None:
    machines = [Machine(name="m")]
    loads = [Load(name="running", work=100.0), Load(name="next", work=1.0)]
    busy = [Busy(0, 0, 1, 7.0)]
    found = least_makespan(loads, machines, busy=busy).schedule
    assert [(one.load, one.start) for one in found.placed] == [(0, 0.0), (1, 7.0)]


def test_a_solver_divides_what_insertion_would_not() -> None:
    loads = [Load(name=str(work), work=work) for work in (3.0, 3.0, 2.0, 2.0, 2.0)]
    machines = [Machine(name="a"), Machine(name="b")]
    chosen = seats(Study(loads, machines), 5.0)
    assert chosen is not None
    assert chosen[0] == chosen[1] != chosen[2] == chosen[3] == chosen[4]
    found = least_makespan(loads, machines).schedule
    assert found.makespan == pytest.approx(6.0)


def test_a_solver_is_not_asked_for_too_much() -> None:
    loads = [Load(name=str(n), work=1.0) for n in range(5000)]
    assert seats(Study(loads, [Machine(name="a"), Machine(name="b")]), 1.0) is None


@given(st.integers(0, 10**6))
def test_ranks_and_heads_are_longest_chains(seed: int) -> None:
    loads, _ = case(seed, 12)
    needs, seconds = [load.needs for load in loads], [load.work for load in loads]
    rank, head = ranks(seconds, needs), heads(seconds, needs)
    for number, needed in enumerate(needs):
        for other in needed:
            assert rank[other] >= seconds[other] + rank[number] - 1e-6
            assert head[number] >= head[other] + seconds[other] - 1e-6
    longest = max(rank)
    assert max(h + r for h, r in zip(head, rank, strict=True)) == pytest.approx(longest)


def test_a_circle_is_told() -> None:
    with pytest.raises(ValueError, match="circle"):
        order([(1,), (0,)])


@given(st.integers(-100, 99), st.floats(0, 1e9), st.floats(0, 1e9))
def test_people_come_before_ranks(priority: int, one: float, other: float) -> None:
    assert urgency(priority, one) < urgency(priority + 1, other)
    assert urgency(priority, one) // LEVELS == priority
    if one < other:
        assert urgency(priority, one) <= urgency(priority, other)
