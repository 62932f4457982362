"""How builds grow with processors: parallel efficiency, memory, disk.

Efficiency falls linearly with the number of processors (aosc.md 1.7): ``n`` processors do the work
of ``n · (1 - loss · (n - 1))``. That has a largest value; more processors than that are no help.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from lapstrake.farm.placement.base import Measured

PRIOR_LOSS = 0.02
"""Of packages never built: 8 processors do the work of 6.9."""
PRIOR_MEMORY = 512 << 20
PRIOR_MEMORY_PER_CORE = 256 << 20
PRIOR_DISK = 2 << 30
_MANY = 1 << 16
_TRUST = 3.0
"""How many measurements a prior is worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appetite:
    """What a package wants of a machine; see `lapstrake.farm.placement.base.Load`."""

    loss: float = PRIOR_LOSS
    memory: float = float(PRIOR_MEMORY)
    memory_per_core: float = float(PRIOR_MEMORY_PER_CORE)
    disk: float = float(PRIOR_DISK)


def useful_cores(loss: float) -> int:
    """The number of processors after which more make it no faster."""
    return _MANY if loss < 1 / _MANY else int((1 + loss) / (2 * loss) + 0.5)


def gain(loss: float, cores: int) -> float:
    """How many times as fast `cores` processors are as one."""
    used = min(cores, useful_cores(loss))
    return used * (1 - loss * (used - 1))


def learn_appetites(rows: Sequence[Measured]) -> tuple[dict[str, Appetite], Appetite]:
    """Fit what packages want from what they took.

    Returns:
        by package, and what to expect of one that is not among them.
    """
    of_package: dict[str, list[Measured]] = defaultdict(list)
    for row in rows:
        of_package[row.package].append(row)
    losses = {name: _loss(found, PRIOR_LOSS) for name, found in of_package.items()}
    usual = Appetite(
        loss=_middle(losses.values(), PRIOR_LOSS),
        memory_per_core=_middle(_memory_per_core(of_package), PRIOR_MEMORY_PER_CORE),
        disk=_middle((row.disk for row in rows if row.disk), PRIOR_DISK),
    )
    known = {name: _appetite(found, usual) for name, found in of_package.items()}
    memory = _middle((appetite.memory for appetite in known.values()), PRIOR_MEMORY)
    return known, Appetite(
        loss=usual.loss, memory=memory, memory_per_core=usual.memory_per_core, disk=usual.disk
    )


def _appetite(rows: Sequence[Measured], usual: Appetite) -> Appetite:
    memory, per_core = _memory(rows, usual)
    return Appetite(
        loss=_loss(rows, usual.loss),
        memory=memory,
        memory_per_core=per_core,
        disk=max((row.disk for row in rows), default=0) or usual.disk,
    )


def _loss(rows: Iterable[Measured], prior: float) -> float:
    """Least squares of ``1 - efficiency`` on ``cores - 1``, drawn to the prior."""
    # The prior stands for builds with 8 processors, so that one build with 2 changes little.
    above, below = _TRUST * 49 * prior, _TRUST * 49.0
    for row in rows:
        if row.cores > 1 and row.wall_seconds > 0 and row.cpu_seconds > 0:
            efficiency = min(1.0, row.cpu_seconds / (row.wall_seconds * row.cores))
            above += (row.cores - 1) * (1 - efficiency)
            below += (row.cores - 1) ** 2
    return min(1.0, max(0.0, above / below))


def _memory(rows: Sequence[Measured], usual: Appetite) -> tuple[float, float]:
    """A line through the peaks, then lifted until none lies above it."""
    found = [(row.cores or 1, float(row.memory)) for row in rows if row.memory > 0]
    if not found:
        return usual.memory, usual.memory_per_core
    slope = max(0.0, _slope(found, usual.memory_per_core))
    lowest = max(memory - slope * cores for cores, memory in found)
    if lowest < 0:
        return 0.0, max(memory / cores for cores, memory in found)
    return lowest, slope


def _slope(points: Sequence[tuple[int, float]], prior: float) -> float:
    """The steepness of the line; one that is known at one number of processors goes nowhere."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:  # of one measurement, all may be what it takes anyway: half of it grows
        return min(prior, mean_y / mean_x / 2)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


def _memory_per_core(of_package: Mapping[str, Sequence[Measured]]) -> Iterable[float]:
    for rows in of_package.values():
        points = [(row.cores, float(row.memory)) for row in rows if row.memory and row.cores]
        if len({cores for cores, _ in points}) > 1:
            yield max(0.0, _slope(points, 0.0))


def _middle(values: Iterable[float], otherwise: float) -> float:
    found = list(values)
    return float(median(found)) if found else float(otherwise)
