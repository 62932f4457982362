"""The rule behind least makespan: loads run where they cost least, unless time presses."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from lapstrake.farm.placement.bounds import Study, shape_of
from lapstrake.farm.placement.efficiency import useful_cores
from lapstrake.farm.placement.fleet import Bools, Fleet, Floats
from lapstrake.farm.placement.rules import Start

_LOOK = 16
"""How many ready loads that had better wait are looked at in a row."""

Entry = tuple[float, float, int]


class InTime:
    """Each load is at home on machines of one shape, by `lapstrake.farm.placement.bounds.Market`.

    Machines take from those at home with them, the longest rank first; who has none takes from
    others. A load that would end too late that way is pressed: it goes where it ends first, even
    if it must wait for that machine.

    Args:
        study: of the loads on the machines.
        target: seconds from the beginning by when all should have ended.
        hurry: loads on chains of at least this part of the longest get all processors that help.
        shared: loads get the processors of a slot when all are taken, not those that cost least.
    """

    def __init__(
        self,
        study: Study,
        target: float,
        hurry: float,
        *,
        shared: bool = False,
    ) -> None:
        words = "shared, " if shared else ""
        self.name = f"in time {target / study.bounds.best:.2f}, {words}hurry {hurry}"
        self.study, self.target = study, target
        market = study.market
        limit = hurry * study.bounds.path
        hurried = np.array(study.heads) + np.array(study.ranks) >= limit
        useful = np.array([min(1 << 16, useful_cores(load.loss)) for load in study.loads])
        share = np.array([[max(1, cores // slots)] for cores, slots, _ in market.shapes])
        usual = np.broadcast_to(share, market.cores.shape) if shared else market.cores
        self.wanted = np.where(hurried[None, :], useful[None, :], usual)
        numbers = {shape: number for number, shape in enumerate(market.shapes)}
        self.shape = np.array([numbers[shape_of(machine)] for machine in study.machines])
        self.masks: list[Bools] = [self.shape == number for number in range(len(numbers))]
        self.heaps: list[list[Entry]] = [[] for _ in numbers]

    def ready(self, load: int, now: float) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        self._push((-self.study.ranks[load], now, load))

    def _push(self, entry: Entry) -> None:
        heappush(self.heaps[self.study.market.home[entry[2]]], entry)

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        later = np.zeros(len(self.shape))
        kept: list[Entry] = []
        anywhere = np.ones(len(self.shape), dtype=np.bool_)
        for heap in self.heaps:
            while (
                heap and fleet.open.any() and len(kept) < _LOOK and self._is_pressed(heap[0], now)
            ):
                kept += self._try(heappop(heap), fleet, now, later, anywhere, start)
        for number, mask in enumerate(self.masks):
            kept += self._serve(number, mask, fleet, now, later, start)
        for entry in kept:
            self._push(entry)

    def _serve(
        self, number: int, mask: Bools, fleet: Fleet, now: float, later: Floats, start: Start
    ) -> list[Entry]:
        """Give the idle machines of a shape what is at home there, or else what waits elsewhere."""
        kept: list[Entry] = []
        while len(kept) < _LOOK and fleet.open[mask].any():
            heap = self.heaps[number] or max(self.heaps, key=len)
            if not heap:
                break
            kept += self._try(heappop(heap), fleet, now, later, mask, start)
        return kept

    def _is_pressed(self, entry: Entry, now: float) -> bool:
        return now - entry[0] > self.target

    def _try(
        self, entry: Entry, fleet: Fleet, now: float, later: Floats, among: Bools, start: Start
    ) -> list[Entry]:
        """Begin a load, or give it back when it had better wait for a machine.

        `later` has by machine the seconds of those that wait for it already.
        """
        number = entry[2]
        load = self.study.loads[number]
        wanted = np.minimum(self.wanted[self.shape, number], fleet.most_cores(load))
        cores = np.minimum(wanted, fleet.free_cores)
        room = fleet.room(load, cores)
        finish = np.where(room, now + fleet.seconds(load, cores), np.inf)
        best = int(np.where(among, finish, np.inf).argmin())
        after = self.study.ranks[number] - self.study.seconds[number]
        if not (among[best] and finish[best] + after <= self.target):
            best = int(finish.argmin())
            whole = fleet.seconds(load, wanted)
            able = fleet.able(load)
            free = np.maximum(fleet.free_at(wanted), now) + later
            waited = np.where(able & ~(room & (cores >= wanted)), free + whole, np.inf)
            other = int(waited.argmin())
            if waited[other] < finish[best]:
                later[other] += whole[other]
                return [entry]
        if not room[best]:
            return [entry]
        start(number, best, int(cores[best]))
        return []
