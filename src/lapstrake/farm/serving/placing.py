"""Placement's loop: looks at the farm, plans, and tells the desk where tasks should wait."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from lapstrake.config.model import PlacementKind
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.placement.base import Measured, Place
from lapstrake.farm.placement.estimates import Estimates, learn
from lapstrake.farm.placement.placer import Plan, Situation, make_plan
from lapstrake.farm.values.workers import Worker

_LEARN_SECONDS = 60.0
_RENEW_SECONDS = 60.0
"""Plans age though nothing happens: builds take longer than was thought."""
_EFFORT = 10.0
"""A plan that took a second is not made again for so many seconds."""
_AT_ONCE = 500
"""Tasks moved in one change of the database."""


class Placer:
    """Plans again whenever something has changed.

    Args:
        desk: whose tasks are placed.
        kind: how, asked each time.
        clock: seconds since 1970.
    """

    def __init__(
        self, desk: Desk, kind: Callable[[], PlacementKind], clock: Callable[[], float]
    ) -> None:
        self._desk, self._kind, self._clock = desk, kind, clock
        self._estimates = Estimates()
        self._learnt = self._planned = self._rests_until = 0.0
        self._seen: object = None

    def tick(self) -> None:
        """Plan, if there is reason to.

        Raises:
            Unavailable: the database cannot be reached.
        """
        began = self._clock()
        if began < self._rests_until:
            return
        kind = self._kind()
        seen = kind, self._desk.newest_event()
        if seen == self._seen and began - self._planned < _RENEW_SECONDS:
            return
        tasks, workers = self._desk.unfinished(), self._desk.workers()
        self._learn(workers, began)
        situation = Situation(
            now=began,
            tasks=tasks,
            edges=self._desk.edges(),
            workers=workers,
            estimates=self._estimates,
            held=self._desk.held(),
        )
        plan = make_plan(situation, kind)
        self._tell(plan)
        self._seen, self._planned = seen, began
        self._rests_until = began + (self._clock() - began) * _EFFORT

    def _learn(self, workers: Sequence[Worker], now: float) -> None:
        if now - self._learnt < _LEARN_SECONDS:
            return
        cores = {worker.facts.name: worker.facts.cores for worker in workers}
        self._estimates = learn([_with_cores(row, cores) for row in self._desk.measured()])
        self._learnt = now

    def _tell(self, plan: Plan) -> None:
        self._desk.foresee(plan.forecasts)
        stands = self._desk.standings()
        moved = iter(
            (task, place)
            for task, place in plan.places.items()
            if task in stands and _differs(place, stands[task])
        )
        while some := dict(islice(moved, _AT_ONCE)):
            self._desk.place(some)


def _with_cores(row: Measured, cores: Mapping[str, int]) -> Measured:
    """A build that was given no number of processors had all of its machine."""
    return row if row.cores else replace(row, cores=cores.get(row.machine, 0))


def _differs(wanted: Place, stands: Place) -> bool:
    """Whether a task must be moved; an empty queue is whichever its requirements name."""
    bound = stands.queue if stands.queue.startswith("worker.") else ""
    return (wanted.queue, wanted.priority, wanted.cores) != (bound, stands.priority, stands.cores)
