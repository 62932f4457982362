"""Ways to place all loads: the queue alone, the quick rule, and the best of several."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from lapstrake.farm.placement.base import Load, Machine, Schedule
from lapstrake.farm.placement.bounds import Study, best_seconds
from lapstrake.farm.placement.critical import ranks
from lapstrake.farm.placement.in_time import InTime
from lapstrake.farm.placement.insertion import Follow, insert
from lapstrake.farm.placement.rules import FirstIdle, Rule
from lapstrake.farm.placement.simulate import Busy, replay
from lapstrake.farm.placement.solve import seats

_HEDGES = (1.0, 0.9)
"""What the search tries besides the quick rule's own."""
_SOLVER_SECONDS = 1.0
_GOOD_ENOUGH = 1.02
"""As near to the bound as this, nothing more is tried."""
_WORTH_IT = 1.05
"""A queue that takes less than so many times as long is left alone: it needs no forecasts."""
_MATTERS = 0.2
"""The longest chain, as a part of all work over all machines, from which on it matters."""
_PARTS = (0.25, 0.5, 1.0)
"""Of the machines with several slots, those that are tried for one load at a time each."""

Make = Callable[[], Rule]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A way to place all loads.

    Attributes:
        schedule: what becomes of it, by the estimates.
        make: gives a fresh rule that brings it about.
        bound: whether loads must be sent to their machines; the queue does as well otherwise.
    """

    schedule: Schedule
    make: Make
    bound: bool


def by_queue(loads: Sequence[Load], machines: Sequence[Machine]) -> Rule:
    """By rank, to whichever slot asks first: what a queue does by itself."""
    return _by_queue(loads, ranks(best_seconds(loads, machines), [load.needs for load in loads]))


def quick(
    loads: Sequence[Load], machines: Sequence[Machine], *, busy: Sequence[Busy] = ()
) -> Found:
    """Place all loads in a moment: the queue alone where that does, else by the quick rule."""
    study = Study(loads, machines)
    queue = _tried(partial(_by_queue, loads, study.ranks), loads, machines, busy, bound=False)
    if _is_near(queue, study, _WORTH_IT):
        return queue
    best = queue
    for arranged in _arrangements(study):
        if _is_near(best, study, _GOOD_ENOUGH):
            break
        if arranged.bounds.best * _GOOD_ENOUGH < best.schedule.makespan:
            other = _tried(partial(InTime, arranged), loads, machines, busy)
            best = other if _is_better(other, best) else best
    worth = best.schedule.makespan * _WORTH_IT < queue.schedule.makespan
    return best if worth else queue


def _arrangements(study: Study) -> Iterator[Study]:
    """The same loads with some machines, the strongest first, for one load at a time each.

    Where the longest chain matters, it matters that those of the chain need not wait for several
    small ones to end, and get all processors. What that costs the others, their bounds tell.
    """
    several = [m for m in study.machines if m.slots > 1]
    strongest = sorted(several, key=lambda m: (-m.speed * m.cores, m.name))
    matters = bool(several) and study.bounds.path > study.bounds.work * _MATTERS
    parts: tuple[float, ...] = (0.0, *_PARTS) if matters else (0.0,)
    for part in reversed(parts) if study.bounds.path > study.bounds.work else parts:
        alone = {machine.name for machine in strongest[: math.ceil(part * len(strongest))]}
        machines = [replace(m, slots=1) if m.name in alone else m for m in study.machines]
        yield Study(study.loads, machines) if alone else study


def least_makespan(
    loads: Sequence[Load], machines: Sequence[Machine], *, busy: Sequence[Busy] = ()
) -> Found:
    """Place all loads so that the last one ends early.

    Every way is tried on the estimates, the queue alone and the quick rule among them, so that
    the result is never worse than these by the estimates.
    """
    best = replace(quick(loads, machines, busy=busy), bound=True)
    study = Study(loads, machines)
    for make in _ways(study, busy):
        if _is_near(best, study, _GOOD_ENOUGH):
            break
        other = _tried(make, loads, machines, busy)
        if _is_better(other, best):
            best = other
    return best


def _tried(
    make: Make,
    loads: Sequence[Load],
    machines: Sequence[Machine],
    busy: Sequence[Busy],
    *,
    bound: bool = True,
) -> Found:
    return Found(schedule=replay(loads, machines, make(), busy=busy), make=make, bound=bound)


def _by_queue(loads: Sequence[Load], urgent: Sequence[float]) -> Rule:
    return FirstIdle(loads, [-rank for rank in urgent], "by queue")


def _is_near(found: Found, study: Study, factor: float) -> bool:
    """Whether it is so near to what is possible that nothing else need be tried."""
    whole = len(found.schedule.placed) == len(study.loads)
    return whole and found.schedule.makespan <= study.bounds.best * factor


def _is_better(one: Found, other: Found) -> bool:
    """More loads placed, then less time."""
    return _badness(one.schedule) < _badness(other.schedule)


def _badness(schedule: Schedule) -> tuple[int, float]:
    return -len(schedule.placed), schedule.makespan


def _ways(study: Study, busy: Sequence[Busy]) -> Iterator[Make]:
    """The likely ones first."""
    pressed = study.bounds.path > study.bounds.work / 2
    if pressed:
        yield partial(Follow, study, insert(study, busy))
    for hedge in _HEDGES:
        for shared in (True, False):
            yield partial(InTime, study, hedge=hedge, shared=shared)
    if not pressed:
        yield partial(Follow, study, insert(study, busy))
    chosen = seats(study, _SOLVER_SECONDS)
    if chosen is not None:
        yield partial(Follow, study, insert(study, busy, chosen), "solver, insertion")
