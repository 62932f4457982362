"""Which machine each of a few loads should get, by a solver: HiGHS, as scipy has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lapstrake.farm.placement.bounds import Study
from lapstrake.farm.placement.fleet import Bools, Fleet, Floats

_LARGEST = 2000
"""Pairs of a load and a machine up to which the solver is asked."""
_GAP = 0.005
"""How near to the best is good enough."""
_CUTS = (0.0, 0.25, 0.5, 0.75, 0.9)


def seats(study: Study, seconds: float) -> list[int] | None:
    """Give each load a machine, so that neither chains nor machines take long.

    The program: every load has one machine, on which memory and disk suffice; it ends after all
    that it needs have ended and its own time has passed; no machine has more to do than there is
    time between what must come before and after; and the time of all is least. The order on each
    machine is left to insertion.

    Args:
        study: of the loads.
        seconds: that the solver may take.

    Returns:
        by load, the machine; ``None`` when there are too many, or nothing was found in time.
    """
    loads, machines = len(study.loads), len(study.machines)
    if not 1 < loads * machines <= _LARGEST or machines < 2:
        return None
    fleet = Fleet(study.machines)
    able = np.array([fleet.able(load) for load in study.loads])
    if not able.any(axis=1).all():
        return None
    takes = np.array([fleet.seconds(load, fleet.most_cores(load)) for load in study.loads])
    chosen = _Program(study, takes, able).solve(seconds)
    return None if chosen is None else [int(n) for n in chosen]


class _Program:
    """The columns: load on machine, one for each pair; the end of each load; the end of all."""

    def __init__(self, study: Study, takes: Floats, able: Bools) -> None:
        self.study, self.takes, self.able = study, takes, able
        self.loads, self.machines = takes.shape
        self.pairs = takes.size
        self.last = self.pairs + self.loads
        self.entries: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def solve(self, seconds: float) -> NDArray[np.int64] | None:
        """The machine of each load."""
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import coo_array

        self._one_machine_each()
        self._in_order()
        self._no_machine_too_long()
        rows, columns, values = zip(*self.entries, strict=True)
        shape = len(self.low), self.last + 1
        cost = np.zeros(self.last + 1)
        cost[self.last] = 1.0
        upper = np.full(self.last + 1, np.inf)
        upper[: self.pairs] = self.able.ravel()
        found = milp(
            cost,
            integrality=(np.arange(self.last + 1) < self.pairs).astype(np.int64),
            bounds=Bounds(np.zeros(self.last + 1), upper),
            constraints=LinearConstraint(
                coo_array((values, (rows, columns)), shape=shape).tocsr(), self.low, self.high
            ),
            options={"time_limit": seconds, "mip_rel_gap": _GAP},
        )
        if found.x is None:
            return None
        chosen = np.array(found.x[: self.pairs]).reshape(self.loads, self.machines)
        machines: NDArray[np.int64] = np.argmax(chosen, axis=1)
        return machines

    def _row(self, low: float, high: float, entries: list[tuple[int, float]]) -> None:
        self.entries += [(len(self.low), column, value) for column, value in entries]
        self.low.append(low)
        self.high.append(high)

    def _time_of(self, load: int) -> list[tuple[int, float]]:
        """What a load takes, as a sum over its machines, negative."""
        columns = range(load * self.machines, (load + 1) * self.machines)
        return [
            (column, -float(value)) for column, value in zip(columns, self.takes[load], strict=True)
        ]

    def _one_machine_each(self) -> None:
        for load in range(self.loads):
            columns = range(load * self.machines, (load + 1) * self.machines)
            self._row(1, 1, [(column, 1.0) for column in columns])

    def _in_order(self) -> None:
        for load in range(self.loads):
            end = [(self.pairs + load, 1.0)]
            self._row(0, np.inf, [*end, *self._time_of(load)])
            for other in self.study.loads[load].needs:
                self._row(0, np.inf, [*end, (self.pairs + other, -1.0), *self._time_of(load)])
            self._row(0, np.inf, [(self.last, 1.0), (self.pairs + load, -1.0)])

    def _no_machine_too_long(self) -> None:
        """Of loads with so much before and after them at best, it has no more than fits between."""
        heads = np.array(self.study.heads)
        tails = np.array(self.study.ranks) - self.study.seconds
        for before in _steps(heads):
            for after in _steps(tails):
                inner = np.flatnonzero((heads >= before) & (tails >= after))
                for machine in range(self.machines):
                    times = [
                        (int(load) * self.machines + machine, -float(self.takes[load, machine]))
                        for load in inner
                    ]
                    self._row(before + after, np.inf, [(self.last, 1.0), *times])


def _steps(values: Floats) -> list[float]:
    """A few of them, the least first."""
    return sorted({float(value) for value in np.quantile(values, _CUTS, method="lower")})
