"""The quick rule: loads run where they cost least, unless time presses; nothing is planned."""

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np

from lapstrake.farm.placement.bounds import Study, shape_of
from lapstrake.farm.placement.efficiency import useful_cores
from lapstrake.farm.placement.fleet import Bools, Fleet, Floats
from lapstrake.farm.placement.rules import Start

HEDGE = 0.75
"""Estimates are off: chains of this part of the longest one are urgent as well."""
_LOOK = 16
"""How many ready loads that had better wait are looked at in a row."""
_LOOK_PRESSED = 4
"""Likewise of pressed ones, before others have their turn."""

Entry = tuple[float, float, int]


class InTime:
    """Each load is at home on machines of one shape, by `lapstrake.farm.placement.bounds.Market`.

    Machines take from those at home with them, the longest rank first; who has none takes from
    others. A load that would end too late that way is pressed: it gets all processors that help
    it, where it ends first, even if it must wait for that machine.

    What is too late is asked anew at every step, from what is left: a part of the longest chain,
    or the work over all machines, whichever is more. So nothing has to be planned again when
    builds take longer than was thought, or machines vanish.

    Args:
        study: of the loads on the machines. On one that has one slot there, every load has the
            machine for itself, however many slots it really has.
        hedge: the part of the longest chain that is left.
        shared: loads get the processors of a slot when all are taken, not those that cost least.
    """

    def __init__(self, study: Study, *, hedge: float = HEDGE, shared: bool = True) -> None:
        self.alone = np.array([machine.slots == 1 for machine in study.machines])
        words = f"{self.alone.sum()} machines alone{', shared' if shared else ''}"
        self.name = f"in time, hedge {hedge}, {words}"
        self.study, self.hedge = study, hedge
        market = study.market
        self.useful = [min(1 << 16, useful_cores(load.loss)) for load in study.loads]
        share = np.array([[max(1, cores // slots)] for cores, slots, _ in market.shapes])
        self.usual = np.broadcast_to(share, market.cores.shape) if shared else market.cores
        numbers = {shape: number for number, shape in enumerate(market.shapes)}
        self.shape = np.array([numbers[shape_of(machine)] for machine in study.machines])
        self.masks: list[Bools] = [self.shape == number for number in range(len(numbers))]
        self.heaps: list[list[Entry]] = [[] for _ in numbers]
        self.running: dict[int, float] = {}
        """When all that follows a load that runs would end at best, if it ends as believed."""
        self.left = float(market.shares.sum())
        self.target = 0.0

    def ready(self, load: int, now: float) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        self._push((-self.study.ranks[load], now, load))

    def ended(self, load: int) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        self.running.pop(load, None)

    def _push(self, entry: Entry) -> None:
        heappush(self.heaps[self.study.market.home[entry[2]]], entry)

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `lapstrake.farm.placement.rules.Rule`."""
        self.target = self._latest(now)
        later = np.zeros(len(self.shape))
        kept: list[Entry] = []
        anywhere = np.ones(len(self.shape), dtype=np.bool_)
        for heap in self.heaps:
            looked = len(kept) + _LOOK_PRESSED
            while heap and len(kept) < looked and fleet.open.any() and self._presses(heap[0], now):
                kept += self._try(heappop(heap), fleet, now, later, anywhere, start)
        for number, mask in enumerate(self.masks):
            kept += self._serve(number, mask, fleet, now, later, start)
        for entry in kept:
            self._push(entry)

    def _latest(self, now: float) -> float:
        """By when all should have ended, by what is left to do."""
        waiting = max((-heap[0][0] for heap in self.heaps if heap), default=0.0)
        running = max(self.running.values(), default=0.0) - now
        return now + max(self.hedge * max(waiting, running), self.left)

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

    def _presses(self, entry: Entry, now: float) -> bool:
        return now - entry[0] > self.target

    def _try(
        self, entry: Entry, fleet: Fleet, now: float, later: Floats, among: Bools, start: Start
    ) -> list[Entry]:
        """Begin a load, or give it back when it had better wait for a machine.

        `later` has by machine the seconds of those that wait for it already.
        """
        number = entry[2]
        load = self.study.loads[number]
        usual = self.useful[number] if self._presses(entry, now) else self.usual[self.shape, number]
        wanted = np.minimum(usual, fleet.most_cores(load))
        cores = np.minimum(wanted, fleet.free_cores)
        room = fleet.room(load, cores)
        room &= ~self.alone | (fleet.free_slots == fleet.slots)
        finish = np.where(room, now + fleet.seconds(load, cores), np.inf)
        best = int(np.where(among, finish, np.inf).argmin())
        after = self.study.ranks[number] - self.study.seconds[number]
        if not (among[best] and finish[best] + after <= self.target):
            best = int(finish.argmin())
            whole = fleet.seconds(load, wanted)
            free = np.maximum(fleet.free_at(wanted), now) + later
            better = fleet.able(load) & ~(room & (cores >= wanted))
            waited = np.where(better, free + whole, np.inf)
            other = int(waited.argmin())
            if waited[other] < finish[best]:
                later[other] += whole[other]
                return [entry]
        if not room[best]:
            return [entry]
        self.running[number] = float(finish[best]) + after
        self.left -= self.study.market.shares[number]
        start(number, best, int(cores[best]))
        return []
