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

    path: float = 0.0
    work: float = 0.0
    both: float = 0.0

    @property
    def simple(self) -> float:
        """The better one of path and work."""
        return max(self.path, self.work)

    @property
    def best(self) -> float:
        """The best of all."""
        return max(self.path, self.work, self.both)


class Study:
    """What is known of loads on machines before any of them is placed.

    Attributes:
        seconds: by load, how long it takes alone on the best machine.
        ranks: by load, from its begin to the end of all, at best.
        heads: by load, the longest chain before it.
        cheapest: by load, the processors that spend the machines best.
        bounds: what no placement can beat.

    Args:
        loads: all of them.
        machines: where.
    """

    def __init__(self, loads: Sequence[Load], machines: Sequence[Machine]) -> None:
        self.loads, self.machines = loads, machines
        needs = [load.needs for load in loads]
        self.seconds = best_seconds(loads, machines)
        self.heads = heads(self.seconds, needs)
        self.ranks = ranks(self.seconds, needs)
        self.cheapest, shares = [1] * len(loads), np.zeros(len(loads))
        if loads and machines:
            self.cheapest, shares = _cheapest(loads, machines)
        tails = np.array(self.ranks) - self.seconds
        self.bounds = Bounds(
            path=max(self.ranks, default=0.0),
            work=float(shares.sum()),
            both=_between(np.array(self.heads), tails, shares) if loads else 0.0,
        )


def best_seconds(loads: Sequence[Load], machines: Sequence[Machine]) -> list[float]:
    """How long each load takes alone on the machine that is best for it."""
    fastest: dict[frozenset[str] | None, list[Machine]] = {}
    found = []
    for load in loads:
        if load.machines not in fastest:
            fastest[load.machines] = _fastest(machines, load.machines)
        fit = fastest[load.machines]
        best = max((m.speed * gain(load.loss, m.cores_for(load)) for m in fit), default=1.0)
        found.append(load.work / best)
    return found


def _fastest(machines: Sequence[Machine], names: frozenset[str] | None) -> list[Machine]:
    """Of each shape, the fastest machine of these names."""
    found: dict[Shape, Machine] = {}
    for machine in machines:
        if names is None or machine.name in names:
            other = found.setdefault(_shape(machine), machine)
            if machine.speed > other.speed:
                found[_shape(machine)] = machine
    return list(found.values())


def _cheapest(loads: Sequence[Load], machines: Sequence[Machine]) -> tuple[list[int], Floats]:
    """What loads cost of all machines' time at the prices at which all together cost most.

    A load takes of a machine a slot, processors and memory. Whatever prices these have, so that a
    second of a whole machine costs 1, weighted by its speed: the sum over loads of the least that
    each can cost is no more than the time that all machines have. The dearest prices give the best
    bound, and at them the cheapest number of processors is the one that spends the machines best.

    Returns:
        the cheapest number of processors by load; seconds by load, whose sum is the bound.
    """
    shapes = sorted({_shape(machine) for machine in machines})
    speeds = [sum(m.speed for m in machines if _shape(m) == shape) for shape in shapes]
    sizes = [speed * shape[0] for speed, shape in zip(speeds, shapes, strict=True)]
    kit = _Kit(loads)
    best, processors = np.zeros(len(loads)), np.ones(len(loads))
    for price in _PRICES:
        found = [kit.cost(shape, price) for shape in shapes]
        # Weights under which no shape is dearer than another, for the average load.
        weights = [1 / max(float(cost.mean()), 1e-30) for cost, _ in found]
        total = sum(weight * speed for weight, speed in zip(weights, speeds, strict=True))
        costs = [weight * cost for weight, (cost, _) in zip(weights, found, strict=True)]
        shares: Floats = np.min(costs, axis=0) / total
        if shares.sum() > best.sum():
            best, processors = shares, found[sizes.index(max(sizes))][1]
    return [int(number) for number in processors], best


class _Kit:
    """All loads' numbers, one array for each."""

    def __init__(self, loads: Sequence[Load]) -> None:
        self.work = np.array([load.work for load in loads])
        self.loss = np.array([load.loss for load in loads])
        self.memory = np.array([load.memory for load in loads])
        self.memory_per_core = np.array([load.memory_per_core for load in loads])

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


def _between(head: Floats, tail: Floats, shares: Floats) -> float:
    """The best of ``before + work + after`` over loads that have so much before and after them."""
    best = 0.0
    for before in np.unique(np.quantile(head, np.linspace(0, 1, _STEPS))):
        later = head >= before
        for after in np.unique(np.quantile(tail[later], np.linspace(0, 1, _STEPS))):
            inner = float(shares[later & (tail >= after)].sum())
            best = max(best, float(before + inner + after))
    return best
