"""What no placement can beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lapstrake.farm.placement.base import Load, Machine
from lapstrake.farm.placement.critical import heads, ranks
from lapstrake.farm.placement.efficiency import gain
from lapstrake.farm.placement.fleet import Floats

Shape = tuple[int, int, int]
"""Cores, slots and memory of a machine."""
_STEPS = 12
_PRICES = tuple(
    (slots / 8, (8 - slots - memory) / 8, memory / 8)
    for memory in (0, 1, 2, 4)
    for slots in range(9 - memory)
)
"""Of slots, processors, memory; they add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Least seconds that all loads take, each by another argument.

    Attributes:
        path: the longest chain, every load of it alone on the best machine.
        work: all loads divided among all machines: their slots, processors and memory.
        both: what must come before some loads, the work of these, and what must come after.
    """

    path: float
    work: float
    both: float

    @property
    def simple(self) -> float:
        """The better one of path and work."""
        return max(self.path, self.work)

    @property
    def best(self) -> float:
        """The best of all."""
        return max(self.path, self.work, self.both)


def bounds(loads: Sequence[Load], machines: Sequence[Machine]) -> Bounds:
    """Find out what no placement of these loads on these machines can beat."""
    if not loads or not machines:
        return Bounds(path=0.0, work=0.0, both=0.0)
    needs = [load.needs for load in loads]
    fastest = [least_seconds(load, machines) for load in loads]
    head, tail = np.array(heads(fastest, needs)), np.array(ranks(fastest, needs)) - fastest
    rank = tail + fastest
    shares, _ = best_shares(loads, machines)
    return Bounds(
        path=float(rank.max()), work=float(shares.sum()), both=_between(head, tail, shares)
    )


def least_seconds(load: Load, machines: Sequence[Machine]) -> float:
    """How long a load takes on the machine that is best for it, alone."""
    best = max((m.speed * gain(load.loss, m.cores) for m in machines if _may(load, m)), default=1.0)
    return load.work / best


def best_shares(
    loads: Sequence[Load], machines: Sequence[Machine]
) -> tuple[Floats, dict[Shape, Floats]]:
    """What each load costs of all machines' time at the prices at which all cost most.

    A load takes of a machine a slot, processors and memory. Whatever prices these have (a second
    of a whole machine costs 1, weighted by its speed), the sum over loads of the least that each
    can cost is no more than the time all machines have. The dearest prices give the best bound,
    and at them the cheapest number of processors is the one that spends the machines best.

    Returns:
        seconds by load, whose sum is the bound; for each shape of machines, by load, the cheapest
        number of processors.
    """
    shapes = sorted({(m.cores, m.slots, m.memory) for m in machines})
    kit = _Kit(
        work=np.array([load.work for load in loads]),
        loss=np.array([load.loss for load in loads]),
        memory=np.array([load.memory for load in loads]),
        memory_per_core=np.array([load.memory_per_core for load in loads]),
    )
    speeds = [sum(m.speed for m in machines if _shape(m) == shape) for shape in shapes]
    best, cheapest = np.zeros(len(loads)), {shape: np.ones(len(loads)) for shape in shapes}
    for price in _PRICES:
        found = [kit.cost(shape, price) for shape in shapes]
        # Weights under which no shape is dearer than another, for the average load.
        weights = [1 / max(float(cost.mean()), 1e-30) for cost, _ in found]
        total = sum(weight * speed for weight, speed in zip(weights, speeds, strict=True))
        costs = [weight * cost for weight, (cost, _) in zip(weights, found, strict=True)]
        shares: Floats = np.min(costs, axis=0) / total
        if shares.sum() > best.sum():
            best = shares
            cheapest = {shape: cores for shape, (_, cores) in zip(shapes, found, strict=True)}
    return best, cheapest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kit:
    """All loads' numbers, one array for each."""

    work: Floats
    loss: Floats
    memory: Floats
    memory_per_core: Floats

    def cost(self, shape: Shape, price: tuple[float, float, float]) -> tuple[Floats, Floats]:
        """The least seconds of a whole machine of speed 1 by load, and at how many processors."""
        total, slots, memory = shape
        useful = np.maximum(1, np.floor((1 + self.loss) / (2 * np.maximum(self.loss, 1e-9)) + 0.5))
        least, cores = np.full(len(self.work), np.inf), np.ones(len(self.work))
        for number in range(1, total + 1):
            used = np.minimum(number, useful)
            seconds = self.work / (used * (1 - self.loss * (used - 1)))
            part = price[0] / slots + price[1] * number / total
            room = (self.memory + self.memory_per_core * number) / memory if memory else 0.0
            cost = seconds * (part + price[2] * room)
            cores = np.where(cost < least, number, cores)
            least = np.minimum(cost, least)
        return least, cores


def _shape(machine: Machine) -> Shape:
    return machine.cores, machine.slots, machine.memory


def _may(load: Load, machine: Machine) -> bool:
    return load.machines is None or machine.name in load.machines


def _between(head: Floats, tail: Floats, shares: Floats) -> float:
    """The best of ``before + work + after`` over loads that have so much before and after them."""
    best = 0.0
    for before in np.unique(np.quantile(head, np.linspace(0, 1, _STEPS))):
        later = head >= before
        for after in np.unique(np.quantile(tail[later], np.linspace(0, 1, _STEPS))):
            inner = float(shares[later & (tail >= after)].sum())
            best = max(best, float(before + inner + after))
    return best
