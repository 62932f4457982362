"""Workers: what they say of their machines, and what the server answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SlotState(StrEnum):
    """What a slot of a worker does."""

    IDLE = "idle"
    BUSY = "busy"
    STOPPED = "stopped"


class WorkerState(StrEnum):
    """How a worker stands."""

    ONLINE = "online"
    DRAINING = "draining"
    """It finishes what it has and takes nothing new."""
    SILENT = "silent"
    """No heartbeat for a while; its tasks were given to others."""
    GONE = "gone"
    """It said goodbye."""


HERE = frozenset({WorkerState.ONLINE, WorkerState.DRAINING})
"""It is heard of."""

AWAY = frozenset({WorkerState.SILENT, WorkerState.GONE})
"""It is not, and has nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a worker says of its machine when it comes.

    Attributes:
        name: unique on the farm.
        incarnation: random, new for each start: tells a restart from a rival of the same name.
        arches: Debian's names of what it can run, its own first.
        emulated: those of them that are emulated.
        capabilities: words: runners (``nspawn``, ``userns``, ``docker``), ``kvm``, the user's own.
        pool: the word that a task must ask for to be built here; empty for any task.
        slots: builds at a time.
        cores: processors.
        memory: bytes.
        disk: bytes free where it builds.
        version: of Lapstrake.
        protocol: see `lapstrake.farm.model.protocol`; the first one had no number.
        clock: its time when it sent this.
        embedded: whether it is the server's own builder and shares its work folder.
        replaces: the incarnation of the process of this very worker that was here before, and is
            dead for sure: it held the lock that this one holds; empty when there was none.
    """

    name: str
    incarnation: str
    arches: tuple[str, ...]
    emulated: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    pool: str = ""
    slots: int = 1
    cores: int = 1
    memory: int = 0
    disk: int = 0
    version: str = ""
    protocol: int = 1
    clock: float = 0.0
    embedded: bool = False
    replaces: str = ""

    @property
    def machines(self) -> str:
        """The architectures for people: ``amd64, i386; emulated: arm64``."""
        own = ", ".join(arch for arch in self.arches if arch not in self.emulated)
        emulated = ", ".join(arch for arch in self.arches if arch in self.emulated)
        return f"{own}; emulated: {emulated}" if emulated else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One place of a worker where one build runs at a time."""

    number: int
    executor: str
    state: SlotState = SlotState.IDLE
    task: int | None = None
    attempt: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a worker says every few seconds.

    Attributes:
        incarnation: as in its facts.
        slots: all of them.
        load: of the machine, 1 minute.
        memory_free, disk_free: bytes.
        clock: its time.
        draining: whether it takes nothing new.
    """

    incarnation: str
    slots: tuple[Slot, ...] = ()
    load: float = 0.0
    memory_free: int = 0
    disk_free: int = 0
    clock: float = 0.0
    draining: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What the server answers to a heartbeat.

    Attributes:
        drain: take nothing new.
        cancel: tasks to kill at once.
    """

    drain: bool = False
    cancel: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A machine that builds, as the server sees it."""

    facts: WorkerFacts
    state: WorkerState
    slots: tuple[Slot, ...] = ()
    registered: float = 0.0
    seen: float = 0.0
    load: float = 0.0
    memory_free: int = 0
    disk_free: int = 0
    skew: float = 0.0
    """Seconds that its clock is ahead of the server's."""
    told: bool = False
    """Whether somebody told it to drain; else it drains because it stops, or its disk is full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a worker is told when it comes.

    Attributes:
        engine: the engine's address (a URL with credentials of the engine's own role).
        heartbeat: seconds between heartbeats.
        fence: seconds without the engine after which it kills what it builds.
        clock: the server's time.
        version: of Lapstrake, the server's.
        protocol: likewise; see `WorkerFacts`.
    """

    engine: str
    heartbeat: float
    fence: float
    clock: float = 0.0
    version: str = ""
    protocol: int = 1
