"""Placing by insertion: the most urgent loads choose their hours first, others fill what is left.

After HEFT (Topcuoglu, Hariri and Wu 2002), one load on a machine at a time, with all processors
that help it. It is for times when the longest path rules: nothing less urgent is ever in the way.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np

from lapstrake.farm.placement.base import Placed
from lapstrake.farm.placement.bounds import Study
from lapstrake.farm.placement.efficiency import useful_cores
from lapstrake.farm.placement.fleet import Bools, Fleet, Floats
from lapstrake.farm.placement.rules import Start
from lapstrake.farm.placement.simulate import Busy

_GAPS = 48
"""Hours free that are remembered of each machine; the shortest are forgotten."""


def insert(
    study: Study, busy: Sequence[Busy] = (), seats: Sequence[int] | None = None
) -> list[Placed]:
    """Give every load its machine and hours, by rank.

    Args:
        study: of the loads.
        busy: what runs already.
        seats: by load, the machine that it must have; ``None`` for whichever is best.

    Returns:
        in the order of their starts, without those that run already or fit nowhere.
    """
    fleet = Fleet(study.machines)
    calendar = _Calendar(len(study.machines))
    ends: dict[int, float] = {}
    for one in busy:
        ends[one.load] = one.seconds
        calendar.begin(one.machine, one.seconds)
    placed = []
    for number in sorted(range(len(study.loads)), key=lambda n: -study.ranks[n]):
        load = study.loads[number]
        able = fleet.able(load)
        if seats is not None:
            able &= np.arange(len(able)) == seats[number]
        if number in ends or not able.any() or any(other not in ends for other in load.needs):
            continue
        cores = fleet.most_cores(load)
        seconds = np.where(able, fleet.seconds(load, cores), np.inf)
        ready = max((ends[other] for other in load.needs), default=0.0)
        machine, start, ends[number] = calendar.book(ready, seconds)
        placed.append(
            Placed(
                load=number,
                machine=machine,
                cores=int(min(cores[machine], useful_cores(load.loss))),
                start=start,
                finish=ends[number],
            )
        )
    return sorted(placed, key=lambda one: (one.start, one.load))


class _Calendar:
    """The hours in which machines are free, in no order; the last one has no end."""

    def __init__(self, machines: int) -> None:
        self.begins = np.full((machines, _GAPS), np.inf)
        self.ends = np.full((machines, _GAPS), -np.inf)
        self.begins[:, 0], self.ends[:, 0] = 0.0, np.inf

    def begin(self, machine: int, seconds: float) -> None:
        """The machine is free from then on only."""
        self.begins[machine, 0] = max(self.begins[machine, 0], seconds)

    def book(self, ready: float, seconds: Floats) -> tuple[int, float, float]:
        """Take the hours that end first.

        Args:
            ready: not earlier.
            seconds: how long it takes, by machine.

        Returns:
            machine, start and end.
        """
        finish = np.maximum(self.begins, ready) + seconds[:, None]
        finish[finish > self.ends] = np.inf
        machine, gap = divmod(int(finish.argmin()), _GAPS)
        end = float(finish[machine, gap])
        start = end - float(seconds[machine])
        begins, ends = self.begins[machine], self.ends[machine]
        before, after = begins[gap], ends[gap]
        begins[gap], ends[gap] = end, after
        if start > before:
            shortest = int((ends - begins).argmin())
            begins[shortest], ends[shortest] = before, start
        return machine, start, end


class Follow:
    """Does what was planned: each machine its loads in their order, as soon as they can begin.

    When a load is late, later ones of the same machine that are ready go before it, if they are
    thought to end before it begins, or if it should have begun already.

    Args:
        study: of the loads.
        placed: the plan.
    """

    def __init__(self, study: Study, placed: Sequence[Placed], name: str = "insertion") -> None:
        self.name, self.study = name, study
        self.plan = {one.load: one for one in placed}
        self.queues: list[list[tuple[float, int]]] = [[] for _ in study.machines]
        self.coming: list[list[tuple[float, int]]] = [[] for _ in study.machines]
        for one in placed:
            heappush(self.coming[one.machine], (one.start, one.load))
        self.begun: set[int] = set()

    def ready(self, load: int, _now: float) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        if load in self.plan:
            one = self.plan[load]
            heappush(self.queues[one.machine], (one.start, load))

    def ended(self, load: int) -> None:
        """See `lapstrake.farm.placement.rules.Rule`; the plan stands."""

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        idle = (fleet.free_slots == fleet.slots) & ~fleet.closed
        for machine in np.flatnonzero(idle):
            queue, coming = self.queues[machine], self.coming[machine]
            while coming and coming[0][1] in self.begun:
                heappop(coming)
            if queue and self._may(queue[0], coming[0], now):
                load = heappop(queue)[1]
                self.begun.add(load)
                start(load, int(machine), self.plan[load].cores)
                idle[machine] = False
        if idle.any():
            self._help(idle, fleet, now, start)

    def _help(self, idle: Bools, fleet: Fleet, now: float, start: Start) -> None:
        """Let idle machines take what is late elsewhere, or lost, if they end it earlier."""
        late = [
            (-self.study.ranks[queue[0][1]], machine)
            for machine, queue in enumerate(self.queues)
            if queue and not idle[machine] and (queue[0][0] < now or fleet.closed[machine])
        ]
        for _, machine in sorted(late):
            number = self.queues[machine][0][1]
            load = self.study.loads[number]
            cores = fleet.most_cores(load)
            seconds = fleet.seconds(load, cores)
            finish = np.where(idle & fleet.room(load, cores), now + seconds, np.inf)
            best = int(finish.argmin())
            here = max(now, fleet.last_end[machine]) + seconds[machine]
            if finish[best] < (np.inf if fleet.closed[machine] else here):
                heappop(self.queues[machine])
                self.begun.add(number)
                start(number, best, int(min(cores[best], useful_cores(load.loss))))
                idle[best] = False

    def _may(self, entry: tuple[float, int], first: tuple[float, int], now: float) -> bool:
        """Whether the first that is ready may go, given the first that is planned."""
        one = self.plan[entry[1]]
        in_time = now + one.finish - one.start <= first[0]
        return entry[1] == first[1] or in_time or now >= first[0]
