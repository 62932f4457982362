"""What placement reasons about: measurements, loads and machines, as plain values."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one build took; a row of the history.

    Attributes:
        package: what was built: the name of the bundle.
        machine: the worker that built it, see `seat`.
        cores: processors that it was given; 0 for not known.
        wall_seconds: how long it took.
        cpu_seconds: processor time of all its processes.
        memory: bytes at most.
        disk: bytes at most in its workspace.
    """

    package: str
    machine: str
    cores: int
    wall_seconds: float
    cpu_seconds: float
    memory: int = 0
    disk: int = 0


def seat(machine: str, arch: str, emulated: Collection[str]) -> str:
    """What a machine is called in the history: for each machine that it emulates it is another."""
    return f"{machine} as {arch}" if arch in emulated else machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A task as placement sees it.

    Attributes:
        name: how reports call it.
        work: processor seconds on a machine of speed 1.
        loss: efficiency lost with each processor after the first: 0 to 1.
        memory: bytes that it needs with no processor at all.
        memory_per_core: bytes more with each processor.
        disk: bytes of its workspace.
        needs: indices of the loads that must end before.
        machines: names of those that may run it; ``None`` for all.
        slowed: names of those that emulate what it is built for, each with the part of its speed
            that is left.
    """

    name: str
    work: float
    loss: float = 0.0
    memory: float = 0.0
    memory_per_core: float = 0.0
    disk: float = 0.0
    needs: tuple[int, ...] = ()
    machines: frozenset[str] | None = field(default=None)
    slowed: frozenset[tuple[str, float]] = frozenset()

    def memory_with(self, cores: int) -> float:
        """Bytes of memory with so many processors."""
        return self.memory + self.memory_per_core * cores


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine that builds.

    Attributes:
        name: the worker's name.
        cores: processors.
        slots: builds at a time.
        speed: work that one processor does in a second; 1 is the machine in whose seconds work is
            told.
        memory: bytes; 0 for not known, which limits nothing.
        disk: bytes free where it builds; 0 for not known.
    """

    name: str
    cores: int = 1
    slots: int = 1
    speed: float = 1.0
    memory: int = 0
    disk: int = 0

    @property
    def share(self) -> int:
        """Processors of a slot when all slots are taken; at least 1."""
        return max(1, self.cores // max(1, self.slots))

    def cores_for(self, load: Load) -> int:
        """The processors that a load may have here before memory is too small; at least 1."""
        if not self.memory or load.memory_per_core <= 0:
            return self.cores
        return max(1, min(self.cores, int((self.memory - load.memory) / load.memory_per_core)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """When and where a load runs.

    Attributes:
        load, machine: indices.
        cores: processors that it gets.
        start, finish: seconds from the beginning.
    """

    load: int
    machine: int
    cores: int
    start: float
    finish: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All loads with when and where they run.

    Attributes:
        placed: in the order of their starts.
        makespan: when the last one ends, seconds from the beginning.
        rule: how it was found.
    """

    placed: Sequence[Placed]
    makespan: float
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task waits: the engine's queue and priority, and the processors it will get.

    Attributes:
        queue: empty for the one of its requirements.
        priority: see `lapstrake.farm.placement.critical.urgency`.
        cores: 0 for as its worker likes.
    """

    queue: str
    priority: int
    cores: int = 0
