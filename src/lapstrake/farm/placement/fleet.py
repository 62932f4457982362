"""Machines while loads run on them: what is free, and when more will be."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lapstrake.farm.placement.base import Load, Machine
from lapstrake.farm.placement.efficiency import useful_cores

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Fleet:
    """What is free on every machine; its arrays have one number for each.

    Args:
        machines: in the order of their indices.
    """

    def __init__(self, machines: Sequence[Machine]) -> None:
        self.machines = machines
        self.index = {machine.name: number for number, machine in enumerate(machines)}
        self.speed = _array([m.speed for m in machines])
        self.cores = _array([m.cores for m in machines])
        self.share = _array([m.share for m in machines])
        self.slots = _array([m.slots for m in machines])
        self.free_slots = self.slots.copy()
        self.free_cores = self.cores.copy()
        self.memory = _array([m.memory or np.inf for m in machines])
        self.free_memory = self.memory.copy()
        self.disk = _array([m.disk or np.inf for m in machines])
        self.free_disk = self.disk.copy()
        self.first_end = np.zeros(len(machines))
        """When the next load there is expected to end; 0 where none runs."""
        self.last_end = np.zeros(len(machines))
        """When all are."""
        self.open = np.ones(len(machines), dtype=np.bool_)
        """Whether there is a slot and a processor free."""
        self.closed = np.zeros(len(machines), dtype=np.bool_)
        """Whether it has vanished."""
        self._ends: list[list[float]] = [[] for _ in machines]
        self._allowed: dict[frozenset[str], Bools] = {}
        self._speeds: dict[frozenset[tuple[str, float]], Floats] = {frozenset(): self.speed}

    def take(self, load: Load, machine: int, cores: int, end: float) -> None:
        """Note that a load runs there, and when it is expected to end."""
        self._change(load, machine, cores, -1)
        insort(self._ends[machine], end)
        self._look(machine)

    def give(self, load: Load, machine: int, cores: int, end: float) -> None:
        """Undo `take`."""
        self._change(load, machine, cores, 1)
        self._ends[machine].remove(end)
        self._look(machine)

    def close(self, machine: int) -> None:
        """Give nothing to this machine any more."""
        self.closed[machine] = True
        self.open[machine] = False

    def _change(self, load: Load, machine: int, cores: int, sign: int) -> None:
        self.free_slots[machine] += sign
        self.free_cores[machine] += sign * cores
        self.free_memory[machine] += sign * load.memory_with(cores)
        self.free_disk[machine] += sign * load.disk
        free = self.free_slots[machine] > 0 and self.free_cores[machine] > 0
        self.open[machine] = free and not self.closed[machine]

    def _look(self, machine: int) -> None:
        ends = self._ends[machine]
        self.first_end[machine] = ends[0] if ends else 0.0
        self.last_end[machine] = ends[-1] if ends else 0.0

    def free_at(self, cores: Floats) -> Floats:
        """When machines are expected to have a slot and so many processors; 0 for now."""
        lacking = cores - self.free_cores
        some = np.where(lacking > 0, self.last_end, self.first_end)
        return np.where((lacking <= 0) & (self.free_slots > 0), 0.0, some)

    def able(self, load: Load) -> Bools:
        """The machines that could run it if nothing else ran there."""
        able = (load.memory_with(1) <= self.memory) & (load.disk <= self.disk) & ~self.closed
        if load.machines is None:
            return able
        return able & self.allowed(load.machines)

    def allowed(self, names: frozenset[str]) -> Bools:
        """The machines of these names."""
        if names not in self._allowed:
            mask = np.zeros(len(self.machines), dtype=np.bool_)
            mask[[self.index[name] for name in names if name in self.index]] = True
            self._allowed[names] = mask
        return self._allowed[names]

    def most_cores(self, load: Load) -> Floats:
        """The processors that it may have on each machine before memory is too small."""
        if load.memory_per_core <= 0:
            return self.cores
        return np.minimum(self.cores, np.floor((self.memory - load.memory) / load.memory_per_core))

    def room(self, load: Load, cores: Floats) -> Bools:
        """The machines where it could begin now, with so many processors on each."""
        room = self.open & (cores >= 1)
        room &= load.memory + load.memory_per_core * cores <= self.free_memory
        room &= load.disk <= self.free_disk
        return room if load.machines is None else room & self.allowed(load.machines)

    def speed_for(self, load: Load) -> Floats:
        """The speed of each machine, where it emulates what is left of that."""
        if load.slowed not in self._speeds:
            speeds = self.speed.copy()
            for name, part in load.slowed:
                if name in self.index:
                    speeds[self.index[name]] *= part
            self._speeds[load.slowed] = speeds
        return self._speeds[load.slowed]

    def seconds(self, load: Load, cores: Floats) -> Floats:
        """How long it takes on each machine with so many processors; more than useful idle."""
        used = np.minimum(np.maximum(cores, 1.0), useful_cores(load.loss))
        return load.work / (self.speed_for(load) * used * (1 - load.loss * (used - 1)))


def _array(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)
