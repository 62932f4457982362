"""Least makespan: several ways to place all loads, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lapstrake.farm.placement.base import Load, Machine, Schedule
from lapstrake.farm.placement.bounds import best_shares, bounds, least_seconds
from lapstrake.farm.placement.critical import heads, ranks
from lapstrake.farm.placement.efficiency import useful_cores
from lapstrake.farm.placement.rules import EarliestFinish, FirstIdle, Rule
from lapstrake.farm.placement.simulate import Busy, replay

_HURRIES = (None, 0.95, 0.8, 0.6, 0.0)
"""How near to the longest path a load must lie to get all the processors that help it."""
_GOOD_ENOUGH = 1.01


def critical_path(loads: Sequence[Load], machines: Sequence[Machine]) -> Rule:
    """The fast default: by rank, to whichever slot asks first."""
    return FirstIdle(loads, [-rank for rank in _ranks(loads, machines)], "critical path")


def least_makespan(
    loads: Sequence[Load], machines: Sequence[Machine], *, busy: Sequence[Busy] = ()
) -> tuple[Schedule, Rule]:
    """Place all loads so that the last one ends early.

    Every way is tried on the estimates, the fast default among them, so that the result is never
    worse than that by the estimates.

    Returns:
        the best schedule, and a fresh rule that brings it about.
    """
    least = bounds(loads, machines).best
    best: tuple[Schedule, Rule] | None = None
    for number, rule in enumerate(_ways(loads, machines)):
        schedule = replay(loads, machines, rule, busy=busy)
        if best is None or _better(schedule, best[0]):
            best = schedule, rule
        if number and schedule.makespan <= least * _GOOD_ENOUGH:
            break
    assert best is not None  # noqa: S101 - there is always the default
    return best


def _better(one: Schedule, other: Schedule) -> bool:
    """More loads placed, then less time."""
    return (-len(one.placed), one.makespan) < (-len(other.placed), other.makespan)


def _ways(loads: Sequence[Load], machines: Sequence[Machine]) -> Iterator[Rule]:
    yield critical_path(loads, machines)
    keys = [-rank for rank in _ranks(loads, machines)]
    for hurry in _HURRIES:
        yield EarliestFinish(loads, keys, wanted_cores(loads, machines, hurry))


def wanted_cores(
    loads: Sequence[Load], machines: Sequence[Machine], hurry: float | None
) -> list[int]:
    """How many processors each load should get.

    Args:
        loads: all of them.
        machines: where.
        hurry: loads on chains of at least this part of the longest get all that help; ``None``
            for none of them.
    """
    _, cheapest = best_shares(loads, machines)
    shape = max(
        cheapest,
        key=lambda s: sum(m.speed * m.cores for m in machines if (m.cores, m.slots, m.memory) == s),
    )
    wanted = [max(1, int(number)) for number in cheapest[shape]]
    if hurry is None:
        return wanted
    needs = [load.needs for load in loads]
    seconds = [least_seconds(load, machines) for load in loads]
    head, rank = heads(seconds, needs), ranks(seconds, needs)
    limit = hurry * max(rank, default=0.0)
    return [
        useful_cores(load.loss) if before + after >= limit else number
        for load, before, after, number in zip(loads, head, rank, wanted, strict=True)
    ]


def _ranks(loads: Sequence[Load], machines: Sequence[Machine]) -> list[float]:
    return ranks([least_seconds(load, machines) for load in loads], [x.needs for x in loads])
