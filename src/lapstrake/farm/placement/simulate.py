"""What becomes of loads under a rule: a simulation of events, for plans and for studies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from lapstrake.farm.placement.base import Load, Machine, Placed, Schedule
from lapstrake.farm.placement.critical import users_of
from lapstrake.farm.placement.efficiency import gain
from lapstrake.farm.placement.fleet import Fleet
from lapstrake.farm.placement.rules import Rule


@dataclass(frozen=True, slots=True)
class Busy:
    """A load that runs already: it ends in so many seconds from now, as far as one knows."""

    load: int
    machine: int
    cores: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Loss:
    """A machine that vanishes after so many seconds, for good."""

    seconds: float
    machine: int


def replay(
    loads: Sequence[Load],
    machines: Sequence[Machine],
    rule: Rule,
    *,
    factors: Sequence[float] = (),
    busy: Sequence[Busy] = (),
    losses: Sequence[Loss] = (),
) -> Schedule:
    """Run all loads as the rule says.

    Args:
        loads: what is to be done; their work is what the rule believes.
        machines: where.
        rule: decides; a fresh one.
        factors: by load, how many times as long it really takes; empty for exactly as believed.
        busy: what runs at the beginning.
        losses: of machines; what runs there begins anew elsewhere.

    Returns:
        when and where each ran. Loads that fit nowhere are missing, and so are their users.
    """
    return _Replay(loads, machines, rule, factors).run(busy, losses)


class _Replay:
    def __init__(
        self,
        loads: Sequence[Load],
        machines: Sequence[Machine],
        rule: Rule,
        factors: Sequence[float],
    ) -> None:
        self.loads, self.machines, self.rule, self.factors = loads, machines, rule, factors
        self.fleet = Fleet(machines)
        self.users = users_of([load.needs for load in loads])
        self.left = [len(load.needs) for load in loads]
        self.events: list[tuple[float, int]] = []
        self.believed: dict[int, float] = {}
        self.placed: dict[int, Placed] = {}
        self.now = 0.0

    def run(self, busy: Sequence[Busy], losses: Sequence[Loss]) -> Schedule:
        for one in busy:
            self._begin(one.load, one.machine, one.cores, one.seconds, 1.0)
        for number, count in enumerate(self.left):
            if count == 0 and number not in self.placed:
                self.rule.ready(number, 0.0)
        self.events += [(loss.seconds, -1 - loss.machine) for loss in losses]
        heapify(self.events)
        self.rule.decide(self.fleet, self.now, self.start)
        while self.events and (self.believed or len(self.placed) < len(self.loads)):
            now = self.events[0][0]
            while self.events and self.events[0][0] <= now:
                self._happens(*heappop(self.events))
            self.rule.decide(self.fleet, self.now, self.start)
        placed = sorted(self.placed.values(), key=lambda one: one.start)
        return Schedule(placed=placed, makespan=self.now, rule=self.rule.name)

    def _happens(self, when: float, what: int) -> None:
        """A load ends, or a machine (negative) vanishes; what ran on one that vanished does not."""
        if what < 0:
            self.now = when
            self._lose(-1 - what)
        elif what in self.believed and self.placed[what].finish == when:
            self.now = when
            self._end(what)

    def _lose(self, machine: int) -> None:
        self.fleet.close(machine)
        for load in [n for n in self.believed if self.placed[n].machine == machine]:
            one = self.placed.pop(load)
            self.fleet.give(self.loads[load], machine, one.cores, self.believed.pop(load))
            self.rule.ended(load)
            self.rule.ready(load, self.now)

    def start(self, load: int, machine: int, cores: int) -> None:
        """Begin a load now; what rules call."""
        one = self.loads[load]
        speed = float(self.fleet.speed_for(one)[machine])
        seconds = one.work / (speed * gain(one.loss, cores))
        self._begin(load, machine, cores, seconds, self.factors[load] if self.factors else 1.0)

    def _begin(self, load: int, machine: int, cores: int, seconds: float, factor: float) -> None:
        self.believed[load] = self.now + seconds
        self.fleet.take(self.loads[load], machine, cores, self.believed[load])
        finish = self.now + seconds * factor
        self.placed[load] = Placed(
            load=load, machine=machine, cores=cores, start=self.now, finish=finish
        )
        heappush(self.events, (finish, load))

    def _end(self, load: int) -> None:
        one = self.placed[load]
        self.fleet.give(self.loads[load], one.machine, one.cores, self.believed.pop(load))
        self.rule.ended(load)
        for user in self.users[load]:
            self.left[user] -= 1
            if self.left[user] == 0:
                self.rule.ready(user, self.now)
