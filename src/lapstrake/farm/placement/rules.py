"""Rules of what begins next, where, with how many processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

import numpy as np

from lapstrake.farm.placement.base import Load
from lapstrake.farm.placement.fleet import Bools, Fleet, Floats

_LOOK = 64
"""How many ready loads that do not fit, or had better wait, are looked at in a row."""


class Start(Protocol):
    """Begins a load on a machine with so many processors; indices."""

    def __call__(self, load: int, machine: int, cores: int) -> None:
        """Begin it now."""
        ...


class Rule(Protocol):
    """Decides whenever something has ended."""

    name: str

    def ready(self, load: int, now: float) -> None:
        """A load needs nothing any more."""
        ...

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """Begin what should begin now."""
        ...


@dataclass
class FirstIdle:
    """What a queue does: the first in order goes to whichever slot asks first, with its share.

    Attributes:
        loads: all of them.
        keys: their order, the smallest first; empty for first come, first served.
    """

    loads: Sequence[Load]
    keys: Sequence[float] = ()
    name: str = "first idle"

    def __post_init__(self) -> None:
        self._heap: list[tuple[float, float, int]] = []

    def ready(self, load: int, now: float) -> None:
        """See `Rule`."""
        heappush(self._heap, (self.keys[load] if self.keys else 0.0, now, load))

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `Rule`."""
        kept: list[tuple[float, float, int]] = []
        while self._heap and len(kept) < _LOOK and fleet.idle:
            entry = heappop(self._heap)
            load = self.loads[entry[2]]
            cores = np.minimum(fleet.share, np.minimum(fleet.free_cores, fleet.most_cores(load)))
            room = np.flatnonzero(fleet.room(load, cores))
            if room.size:
                # Whoever asks first: machines ask in no order, yet the same in every run.
                machine = int(room[hash((entry[2], int(now * 1000))) % room.size])
                start(entry[2], machine, int(cores[machine]))
            else:
                kept.append(entry)
        for entry in kept:
            heappush(self._heap, entry)


@dataclass
class InTime:
    """Each in its order begins on the best of the idle machines, if all can still end in time.

    If not, and a busy machine will end it earlier, it waits for that one, and the idle one is left
    to others.

    Attributes:
        loads: all of them.
        ranks: by load, seconds from its begin to the end of all, at best; the largest go first.
        least: by load, the seconds of its own in that.
        wanted: by load, the processors that it should get.
        target: when all should have ended.
        seats: by load, the machine that a solver chose, or -1.
    """

    loads: Sequence[Load]
    ranks: Sequence[float]
    least: Sequence[float]
    wanted: Sequence[int]
    target: float
    seats: Sequence[int] = ()
    name: str = "in time"

    def __post_init__(self) -> None:
        self._heap: list[tuple[float, float, int]] = []

    def ready(self, load: int, now: float) -> None:
        """See `Rule`."""
        heappush(self._heap, (-self.ranks[load], now, load))

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `Rule`."""
        kept: list[tuple[float, float, int]] = []
        later = np.maximum(fleet.next_free, now)
        while self._heap and len(kept) < _LOOK and fleet.idle:
            entry = heappop(self._heap)
            place = self._place(entry[2], fleet, now, later)
            if place is None:
                kept.append(entry)
            else:
                start(entry[2], *place)
                later[place[0]] = max(now, fleet.next_free[place[0]])
        for entry in kept:
            heappush(self._heap, entry)

    def _place(
        self, number: int, fleet: Fleet, now: float, later: Floats
    ) -> tuple[int, int] | None:
        """The machine and processors to begin with now, or nothing; then `later` knows of it."""
        load = self.loads[number]
        wanted = np.minimum(float(self.wanted[number]), fleet.most_cores(load))
        cores = np.minimum(wanted, fleet.free_cores)
        room = self._seated(number, fleet.room(load, cores))
        finish = np.where(room, now + fleet.seconds(load, cores), np.inf)
        best = int(finish.argmin())
        after = self.ranks[number] - self.least[number]
        if finish[best] + after <= self.target:
            return best, int(cores[best])
        whole = fleet.seconds(load, wanted)
        able = self._seated(number, fleet.able(load))
        waited = np.where(able & ~room, later + whole, np.inf)
        other = int(waited.argmin())
        if waited[other] < finish[best]:
            later[other] += whole[other] / fleet.slots[other]
            return None
        return (best, int(cores[best])) if room[best] else None

    def _seated(self, number: int, mask: Bools) -> Bools:
        """The mask, but for the machine that a solver chose, nothing."""
        if not self.seats or self.seats[number] < 0:
            return mask
        found = np.zeros_like(mask)
        found[self.seats[number]] = mask[self.seats[number]]
        return found
