"""The work of packages and the speed of machines, from what builds took.

The model of aosc.md 1.7: the processor seconds of a build are the package's work divided by the
machine's speed, times noise; so their logarithms are ``work - speed + noise``, which least squares
solve. Work is told in builds of the anchor: glibc, or what is known best if that was never built.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from lapstrake.farm.placement.base import Measured, seat
from lapstrake.farm.placement.efficiency import Appetite, gain, learn_appetites
from lapstrake.farm.placement.fleet import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

ANCHOR = "glibc"
_SPEEDS_SPREAD = 0.5
"""How far the logarithms of machines' speeds are expected to lie apart."""
_WORK_SPREAD = 1.5
"""Of packages' work: Debian's builds lie between seconds and hours."""
_FREEDOM = 4.0
"""Of Student's t, whose weights make outliers count little."""
_ROUNDS = 12
_TRUST = 3
"""How many packages the expected width of their work is worth."""
_LEAST_NOISE = 0.02
_EMULATED = 0.12
"""Of a machine's speed is left when it emulates another, before anything was built so."""
_USUAL_SECONDS = 120.0
"""Of a package when nothing at all has been built yet."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of which the logarithm is known so well.

    Attributes:
        value: the middle.
        spread: the standard deviation of its logarithm.
        builds: how many measurements of this very thing it rests on.
    """

    value: float
    spread: float
    builds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """What is known of packages and machines.

    Attributes:
        packages: work, in builds of the anchor.
        machines: speed, in builds of the anchor that one processor does in a second.
        appetites: by package, what it wants besides.
        anchor: the package whose work is 1, empty when nothing has been built.
        other: the work of a package that is not known.
        typical: the speed of a machine that is not known.
        usual: what a package that is not known wants.
        noise: the standard deviation of the logarithm of one measurement.
    """

    packages: Mapping[str, Estimate] = field(default_factory=dict)
    machines: Mapping[str, Estimate] = field(default_factory=dict)
    appetites: Mapping[str, Appetite] = field(default_factory=dict)
    anchor: str = ""
    other: Estimate = Estimate(_USUAL_SECONDS, _WORK_SPREAD)
    typical: Estimate = Estimate(1.0, _SPEEDS_SPREAD)
    usual: Appetite = field(default_factory=Appetite)
    noise: float = 0.2

    def work(self, package: str) -> Estimate:
        """How much work a package is."""
        return self.packages.get(package, self.other)

    def speed(self, machine: str) -> Estimate:
        """How fast one processor of a machine works."""
        return self.machines.get(machine, self.typical)

    def emulated(self, machine: str, arch: str) -> float:
        """The part of a machine's speed that is left where it emulates; at most 1."""
        known = self.machines.get(seat(machine, arch, (arch,)))
        return min(1.0, known.value / self.speed(machine).value) if known else _EMULATED

    def appetite(self, package: str) -> Appetite:
        """What a package wants of a machine."""
        return self.appetites.get(package, self.usual)

    def seconds(self, package: str, machine: str, cores: int) -> Estimate:
        """How long a package will take on so many processors of a machine."""
        work, speed = self.work(package), self.speed(machine)
        factor = gain(self.appetite(package).loss, cores)
        spread = math.sqrt(work.spread**2 + speed.spread**2 + self.noise**2)
        return Estimate(work.value / (speed.value * factor), spread, work.builds)


def learn(rows: Sequence[Measured]) -> Estimates:
    """Estimate everything from the history.

    Args:
        rows: builds that went well, in any order. Those without processor time are left out.
    """
    rows = [row for row in rows if row.cpu_seconds > 0 and math.isfinite(row.cpu_seconds)]
    appetites, usual = learn_appetites(rows)
    if not rows:
        return Estimates()
    fit = _Fit(rows)
    fit.solve()
    anchor = fit.anchor()
    unit = fit.work[fit.packages[anchor]]
    return Estimates(
        packages=fit.found(fit.packages, fit.work - unit, fit.work_spread, fit.package_of),
        machines=fit.found(fit.machines, fit.speed - unit, fit.speed_spread, fit.machine_of),
        appetites=appetites,
        anchor=anchor,
        other=Estimate(math.exp(float(np.median(fit.work)) - unit), fit.width()),
        typical=Estimate(math.exp(float(np.median(fit.speed)) - unit), _SPEEDS_SPREAD),
        usual=usual,
        noise=fit.noise,
    )


class _Fit:
    """Least squares with weak priors, which hold together what no build connects.

    Packages meet only machines, so packages are eliminated one by one, and what is left to solve
    has the size of the number of machines.
    """

    def __init__(self, rows: Sequence[Measured]) -> None:
        self.packages = _numbers(row.package for row in rows)
        self.machines = _numbers(row.machine for row in rows)
        self.package_of = np.array([self.packages[row.package] for row in rows])
        self.machine_of = np.array([self.machines[row.machine] for row in rows])
        self.seen = np.log([row.cpu_seconds for row in rows])
        self.noise = 0.2
        self.work = np.zeros(len(self.packages))
        self.speed = np.zeros(len(self.machines))
        self.work_spread = np.ones(len(self.packages))
        self.speed_spread = np.ones(len(self.machines))

    def solve(self) -> None:
        """Solve again and again, with weights from what was left over."""
        weights = np.ones(len(self.seen))
        for _ in range(_ROUNDS):
            self._step(weights)
            left = self.seen - self.work[self.package_of] + self.speed[self.machine_of]
            freedom = max(1.0, len(left) - len(self.work) - len(self.speed) + 1.0)
            middle = float((weights * left**2).sum()) / freedom
            self.noise = min(1.0, max(_LEAST_NOISE, math.sqrt(middle)))
            weights = (_FREEDOM + 1) / (_FREEDOM + (left / self.noise) ** 2)

    def _step(self, weights: Floats) -> None:
        count, scale = len(self.speed), self.noise**2
        prior_work, prior_speed = scale / _WORK_SPREAD**2, scale / _SPEEDS_SPREAD**2
        middle = float(np.median(self.seen))
        diagonal = np.bincount(self.package_of, weights, len(self.work)) + prior_work
        right_work = prior_work * middle + np.bincount(
            self.package_of, weights * self.seen, len(self.work)
        )
        right_speed = -np.bincount(self.machine_of, weights * self.seen, count)
        cross = self._cross(weights)
        reach = cross.copy()
        reach.data /= np.repeat(diagonal, np.diff(cross.indptr))
        matrix = np.diag(np.bincount(self.machine_of, weights, count) + prior_speed)
        matrix -= (cross.T @ reach).toarray()
        inverse = np.linalg.inv(matrix)
        self.speed = inverse @ (right_speed + cross.T @ (right_work / diagonal))
        self.work = (right_work + cross @ self.speed) / diagonal
        self.speed_spread = np.sqrt(scale * np.diag(inverse))
        carried = np.einsum("ij,ij->i", np.asarray(reach @ inverse), reach.toarray())
        self.work_spread = np.sqrt(scale * (1 / diagonal + carried))

    def _cross(self, weights: Floats) -> csr_array[np.float64, tuple[int, int]]:
        """Packages by machines: the weights of the builds that connect them."""
        from scipy.sparse import coo_array  # takes long to load, and not every server has built

        shape = len(self.work), len(self.speed)
        return coo_array((weights, (self.package_of, self.machine_of)), shape=shape).tocsr()

    def anchor(self) -> str:
        """The package whose work is 1."""
        if ANCHOR in self.packages:
            return ANCHOR
        return min(self.packages, key=lambda name: (self.work_spread[self.packages[name]], name))

    def width(self) -> float:
        """How far the work of packages lies apart."""
        count = len(self.work)
        middle = count * float(np.var(self.work)) + _TRUST * _WORK_SPREAD**2
        return math.sqrt(middle / (count + _TRUST))

    @staticmethod
    def found(
        names: Mapping[str, int], values: Floats, spreads: Floats, rows: NDArray[np.int64]
    ) -> dict[str, Estimate]:
        """Numbers by name, no logarithms any more."""
        counts = np.bincount(rows, minlength=len(names))
        return {
            name: Estimate(
                math.exp(float(values[number])), float(spreads[number]), int(counts[number])
            )
            for name, number in names.items()
        }


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """Numbers for names, in alphabetical order."""
    return {name: number for number, name in enumerate(sorted(set(names)))}
