"""What a command may use, what it used, and how it ended: values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Ending(StrEnum):
    """Why a command ended."""

    EXITED = "exited"
    TIMED_OUT = "timed out"
    OUT_OF_MEMORY = "out of memory"
    OUT_OF_DISK = "out of disk"
    OUT_OF_PROCESSES = "out of processes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a command may use, all its processes together. ``None``: as much as the host has.

    Attributes:
        seconds: wall-clock time.
        memory: bytes of memory.
        disk: bytes that the workspace may grow to.
        processes: processes and threads at a time.
        cpus: processors' worth of time; may be a fraction.
    """

    seconds: float | None = None
    memory: int | None = None
    disk: int | None = None
    processes: int | None = None
    cpus: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a command's processes used at one moment.

    Attributes:
        seconds: since the command started.
        memory: bytes resident, all processes together.
        cpu_seconds: user and system time so far.
        disk: bytes in the workspace.
        processes: how many.
    """

    seconds: float
    memory: int
    cpu_seconds: float
    disk: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a command used, over its whole life.

    Attributes:
        wall_seconds: from start to end.
        cpu_seconds: user and system time.
        peak_memory: bytes; exact with cgroups, the largest sample without.
        peak_disk: bytes in the workspace, the largest sample; the last is what the command left.
        samples: taken every 3 s.
    """

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    peak_disk: int = 0
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended: its exit status (128 + n after signal n), why, and what it used."""

    status: int
    ending: Ending = Ending.EXITED
    usage: Usage = field(default_factory=Usage)

    @property
    def ok(self) -> bool:
        """Whether it ended by itself with status 0."""
        return self.ending is Ending.EXITED and self.status == 0
