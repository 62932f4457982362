"""A rule that makes its plan anew now and then from what is left, as the farm does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lapstrake.farm.placement.assign import least_makespan
from lapstrake.farm.placement.base import Load, Machine
from lapstrake.farm.placement.efficiency import gain
from lapstrake.farm.placement.fleet import Fleet
from lapstrake.farm.placement.rules import Rule, Start
from lapstrake.farm.placement.simulate import Busy


class Anew:
    """Least makespan, planned again after so many seconds, and whenever a machine has vanished.

    It believes what the loads say; a load that takes longer is thought to end soon.
    """

    name = "least makespan, anew"

    def __init__(self, loads: Sequence[Load], machines: Sequence[Machine], seconds: float) -> None:
        self.loads, self.machines, self.seconds = loads, machines, seconds
        self.waiting = set(range(len(loads)))
        self.free: dict[int, float] = {}
        self.running: dict[int, tuple[int, int, float]] = {}
        self.rule: Rule | None = None
        self.next, self.lost = 0.0, 0
        self.kept: list[int] = []
        self.number: dict[int, int] = {}

    def ready(self, load: int, now: float) -> None:
        """See `Rule`; one that is ready again was on a machine that is lost."""
        self.free[load] = now
        self.waiting.add(load)
        if self.rule is not None and load in self.number:
            self.rule.ready(self.number[load], now)

    def ended(self, load: int) -> None:
        """See `Rule`."""
        self.running.pop(load, None)
        if self.rule is not None and load in self.number:
            self.rule.ended(self.number[load])

    def decide(self, fleet: Fleet, now: float, start: Start) -> None:
        """See `Rule`."""
        lost = int(fleet.closed.sum())
        if self.rule is None or now >= self.next or lost > self.lost:
            self.next, self.lost = now + self.seconds, lost
            self._plan(fleet, now)

        def begin(load: int, machine: int, cores: int) -> None:
            whole = self.kept[load]
            one = self.loads[whole]
            took = one.work / (self.machines[machine].speed * gain(one.loss, cores))
            self.running[whole] = (machine, cores, now + took)
            self.waiting.discard(whole)
            self.free.pop(whole, None)
            start(whole, machine, cores)

        if self.rule is not None:
            self.rule.decide(fleet, now, begin)

    def _plan(self, fleet: Fleet, now: float) -> None:
        self.kept = sorted(self.waiting | self.running.keys())
        if not self.waiting:
            return
        self.number = {load: n for n, load in enumerate(self.kept)}
        there = frozenset(
            m.name for m, gone in zip(self.machines, fleet.closed, strict=True) if not gone
        )
        loads = [
            replace(
                self.loads[load],
                machines=None if len(there) == len(self.machines) else there,
                needs=tuple(self.number[o] for o in self.loads[load].needs if o in self.number),
            )
            for load in self.kept
        ]
        busy = [
            Busy(self.number[load], machine, cores, max(end - now, 1.0))
            for load, (machine, cores, end) in self.running.items()
        ]
        self.rule = least_makespan(loads, self.machines, busy=busy).make()
        for load, since in self.free.items():
            self.rule.ready(self.number[load], since)
