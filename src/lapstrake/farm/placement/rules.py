"""Rules of what begins next, where, with how many processors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

import numpy as np

from lapstrake.farm.placement.base import Load
from lapstrake.farm.placement.fleet import Fleet

_LOOK = 16
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

    def ended(self, load: int) -> None:
        """A load has ended, or its machine is lost: then it will be ready again."""
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

    def ended(self, load: int) -> None:
        """See `Rule`; who comes first does not depend on it."""

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `Rule`."""
        kept: list[tuple[float, float, int]] = []
        while self._heap and len(kept) < _LOOK and fleet.open.any():
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
