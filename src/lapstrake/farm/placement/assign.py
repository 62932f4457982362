"""Least makespan: several ways to place all loads, and the best of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from lapstrake.farm.placement.base import Load, Machine, Schedule
from lapstrake.farm.placement.bounds import Study, best_seconds
from lapstrake.farm.placement.critical import ranks
from lapstrake.farm.placement.in_time import InTime
from lapstrake.farm.placement.insertion import Follow, insert
from lapstrake.farm.placement.rules import FirstIdle, Rule
from lapstrake.farm.placement.simulate import Busy, replay
from lapstrake.farm.placement.solve import seats

_TARGETS = (1.0, 1.03)
"""When all should have ended, in parts of the least time: the nearer, the more is waited for."""
_HURRIES = (1.1, 0.6, 0.0)
"""How near to the longest path a load must lie to get all the processors that help it."""
_SOLVER_SECONDS = 1.0
_GOOD_ENOUGH = 1.02
"""As near to the bound as this, nothing more is tried."""


def critical_path(loads: Sequence[Load], machines: Sequence[Machine]) -> Rule:
    """The fast default: by rank, to whichever slot asks first."""
    return _critical_path(
        loads, ranks(best_seconds(loads, machines), [load.needs for load in loads])
    )


def least_makespan(
    loads: Sequence[Load], machines: Sequence[Machine], *, busy: Sequence[Busy] = ()
) -> tuple[Schedule, Rule]:
    """Place all loads so that the last one ends early.

    Every way is tried on the estimates, the fast default among them, so that the result is never
    worse than that by the estimates.

    Returns:
        the best schedule, and a fresh rule that brings it about.
    """
    study = Study(loads, machines)
    least = study.bounds.best
    best: Callable[[], Rule] = partial(_critical_path, loads, study.ranks)
    schedule = replay(loads, machines, best(), busy=busy)
    for make in _ways(study, busy):
        if schedule.makespan <= least * _GOOD_ENOUGH and len(schedule.placed) == len(loads):
            break
        other = replay(loads, machines, make(), busy=busy)
        if _is_better(other, schedule):
            schedule, best = other, make
    return schedule, best()


def _critical_path(loads: Sequence[Load], urgent: Sequence[float]) -> Rule:
    return FirstIdle(loads, [-rank for rank in urgent], "critical path")


def _is_better(one: Schedule, other: Schedule) -> bool:
    """More loads placed, then less time."""
    return (-len(one.placed), one.makespan) < (-len(other.placed), other.makespan)


def _ways(study: Study, busy: Sequence[Busy]) -> Iterator[Callable[[], Rule]]:
    """The likely ones first."""
    pressed = study.bounds.path > study.bounds.work / 2
    if pressed:
        yield partial(Follow, study, insert(study, busy))
    for hurry in _HURRIES:
        for shared in (True, False):
            for target in _TARGETS:
                yield partial(InTime, study, target * study.bounds.best, hurry, shared=shared)
    if not pressed:
        yield partial(Follow, study, insert(study, busy))
    chosen = seats(study, _SOLVER_SECONDS)
    if chosen is not None:
        yield partial(Follow, study, insert(study, busy, chosen), "solver, insertion")
