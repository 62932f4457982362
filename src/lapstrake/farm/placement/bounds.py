"""What no placement can beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lapstrake.farm.placement.base import Load, Machine
from lapstrake.farm.placement.critical import heads, ranks
from lapstrake.farm.placement.efficiency import gain
from lapstrake.farm.placement.fleet import Floats

Shape = tuple[int, int, int]
"""Cores, slots and memory of a machine."""
_CUTS = 12
_STEPS = 24
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
        market: what loads cost where.
        bounds: what no placement can beat.

    Args:
        loads: all of them, at least one.
        machines: where, at least one.
    """

    def __init__(self, loads: Sequence[Load], machines: Sequence[Machine]) -> None:
        self.loads, self.machines = loads, machines
        needs = [load.needs for load in loads]
        self.seconds = best_seconds(loads, machines)
        self.heads = heads(self.seconds, needs)
        self.ranks = ranks(self.seconds, needs)
        self.market = trade(loads, machines)
        shares, tails = self.market.shares, np.array(self.ranks) - self.seconds
        self.bounds = Bounds(
            path=max(self.ranks),
            work=float(shares.sum()),
            both=_between(np.array(self.heads), tails, shares),
        )


def best_seconds(loads: Sequence[Load], machines: Sequence[Machine]) -> list[float]:
    """How long each load takes alone on the machine that is best for it."""
    fastest: dict[object, list[Machine]] = {}
    found = []
    for load in loads:
        key = load.machines, load.slowed
        if key not in fastest:
            fastest[key] = _fastest(_slowed(machines, load.slowed), load.machines)
        fit = fastest[key]
        best = max((m.speed * gain(load.loss, m.cores_for(load)) for m in fit), default=1.0)
        found.append(load.work / best)
    return found


def _slowed(machines: Sequence[Machine], slowed: frozenset[tuple[str, float]]) -> Sequence[Machine]:
    parts = dict(slowed)
    return (
        [replace(m, speed=m.speed * parts.get(m.name, 1.0)) for m in machines]
        if parts
        else machines
    )


def _fastest(machines: Sequence[Machine], names: frozenset[str] | None) -> list[Machine]:
    """Of each shape, the fastest machine of these names."""
    found: dict[Shape, Machine] = {}
    for machine in machines:
        if names is None or machine.name in names:
            other = found.setdefault(shape_of(machine), machine)
            if machine.speed > other.speed:
                found[shape_of(machine)] = machine
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Market:
    """What loads cost at the prices at which all together cost most.

    A load takes of a machine a slot, processors and memory. Whatever prices these have, if the
    time of all machines costs 1 a second together: the sum over loads of the least that each can
    cost is no more than the time that all of them take. The dearest prices give the best bound;
    at them, where a load is cheapest is where it should run, with how many processors likewise.

    Attributes:
        shapes: of the machines.
        shares: by load, seconds; their sum is the bound.
        home: by load, the number of the shape where it is cheapest.
        cores: by shape and load, the cheapest number of processors.
    """

    shapes: Sequence[Shape]
    shares: Floats
    home: NDArray[np.int64]
    cores: NDArray[np.int64]


def trade(loads: Sequence[Load], machines: Sequence[Machine]) -> Market:
    """Find the prices; there is at least one load and one machine."""
    shapes = sorted({shape_of(machine) for machine in machines})
    speeds = np.array([sum(m.speed for m in machines if shape_of(m) == shape) for shape in shapes])
    kit, best = _Kit(loads), None
    for price in _PRICES:
        found = [kit.cost(shape, price) for shape in shapes]
        costs = np.array([cost for cost, _ in found])
        shares, home = _balance(costs, speeds)
        if best is None or shares.sum() > best.shares.sum():
            cores = np.array([cores for _, cores in found], dtype=np.int64)
            best = Market(shapes, shares, home, cores)
    assert best is not None  # noqa: S101 - there are prices
    return best


def _balance(costs: Floats, speeds: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Change the shapes' prices until all have as much to do, if every load goes where it is cheap.

    Args:
        costs: by shape and load, seconds of a whole machine of speed 1.
        speeds: by shape, of all its machines together.
    """
    weights = 1 / np.maximum(costs.mean(axis=1), 1e-30)
    best, best_home = np.zeros(costs.shape[1]), np.zeros(costs.shape[1], dtype=np.int64)
    for step in range(1, _STEPS if len(speeds) > 1 else 2):
        priced = costs * (weights / (weights @ speeds))[:, None]
        home = priced.argmin(axis=0)
        shares: Floats = priced.min(axis=0)
        if shares.sum() > best.sum():
            best, best_home = shares, home
        mine = np.array([costs[n][home == n].sum() for n in range(len(speeds))]) / speeds
        weights = weights * np.clip(mine / mine.mean(), 0.5, 2.0) ** (1 / (1 + step / 4))
    return best, best_home


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


def shape_of(machine: Machine) -> Shape:
    """The kind of machine: what it has, but for its speed."""
    return machine.cores, machine.slots, machine.memory


def _between(head: Floats, tail: Floats, shares: Floats) -> float:
    """The best of ``before + work + after`` over loads that have so much before and after them."""
    best = 0.0
    for before in np.unique(np.quantile(head, np.linspace(0, 1, _CUTS))):
        later = head >= before
        for after in np.unique(np.quantile(tail[later], np.linspace(0, 1, _CUTS))):
            inner = float(shares[later & (tail >= after)].sum())
            best = max(best, float(before + inner + after))
    return best
