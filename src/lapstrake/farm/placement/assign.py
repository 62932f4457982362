"""Least makespan: several ways to place all loads, and the best of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lapstrake.farm.placement.base import Load, Machine, Schedule
from lapstrake.farm.placement.bounds import Study
from lapstrake.farm.placement.in_time import InTime
from lapstrake.farm.placement.insertion import Follow, insert
from lapstrake.farm.placement.rules import FirstIdle, Rule
from lapstrake.farm.placement.simulate import Busy, replay
from lapstrake.farm.placement.solve import seats

_TARGETS = (1.0, 1.03)
"""When all should have ended, in parts of the least time: the nearer, the more is waited for."""
_HURRIES = (1.1, 0.6, 0.0)
"""How near to the longest path a load must lie to get all the processors that help it."""
_SOLVER_SECONDS = 2.0
_GOOD_ENOUGH = 1.01
"""As near to the bound as this, nothing more is tried."""


def critical_path(loads: Sequence[Load], machines: Sequence[Machine]) -> Rule:
    """The fast default: by rank, to whichever slot asks first."""
    return _critical_path(Study(loads, machines))


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
    rule: Rule = _critical_path(study)
    best = replay(loads, machines, rule, busy=busy), rule
    for rule in _ways(study, busy):
        if best[0].makespan <= least * _GOOD_ENOUGH and len(best[0].placed) == len(loads):
            break
        schedule = replay(loads, machines, rule, busy=busy)
        if _is_better(schedule, best[0]):
            best = schedule, rule
    return best


def _critical_path(study: Study) -> Rule:
    return FirstIdle(study.loads, [-rank for rank in study.ranks], "critical path")


def _is_better(one: Schedule, other: Schedule) -> bool:
    """More loads placed, then less time."""
    return (-len(one.placed), one.makespan) < (-len(other.placed), other.makespan)


def _ways(study: Study, busy: Sequence[Busy]) -> Iterator[Rule]:
    """The likely ones first."""
    pressed = study.bounds.path > study.bounds.work / 2
    if pressed:
        yield Follow(study, insert(study, busy))
    for hurry in _HURRIES:
        for shared in (True, False):
            for target in _TARGETS:
                yield InTime(study, target * study.bounds.best, hurry, shared=shared)
    if not pressed:
        yield Follow(study, insert(study, busy))
    chosen = seats(study, _SOLVER_SECONDS)
    if chosen is not None:
        yield Follow(study, insert(study, busy, chosen), "solver, insertion")
