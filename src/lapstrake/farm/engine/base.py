"""What the farm asks of a distributed engine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

_RUN = re.compile(r"task-(\d+)-(\d+)\Z")
_EXECUTOR = re.compile(r"([^/]+)/([^/]+)/(\d+)/(\d+)\Z")


@dataclass(frozen=True, slots=True, order=True)
class RunId:
    """One time that a task was given to the engine; a retry by the user is a new round.

    Attributes:
        task: the task's number.
        round: from 1.
    """

    task: int
    round: int = 1

    def __str__(self) -> str:
        return f"task-{self.task}-{self.round}"

    @classmethod
    def parse(cls, text: str) -> RunId | None:
        """Read what `__str__` wrote; ``None`` for anything else."""
        match = _RUN.match(text)
        return cls(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class Executor:
    """A slot's process: what it takes is its own, so each start has another name.

    Attributes:
        worker: the worker's name.
        incarnation: the worker's, as in its facts.
        slot: the slot's number.
        start: counts the processes of this slot; those with a smaller one are dead.
    """

    worker: str
    incarnation: str
    slot: int
    start: int

    def __str__(self) -> str:
        return f"{self.worker}/{self.incarnation}/{self.slot}/{self.start}"

    @classmethod
    def parse(cls, text: str) -> Executor | None:
        """Read what `__str__` wrote; ``None`` for anything else."""
        match = _EXECUTOR.match(text)
        return cls(match[1], match[2], int(match[3]), int(match[4])) if match else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued:
    """A run for the engine.

    Attributes:
        run: which.
        queue: see `lapstrake.farm.model.queues`.
        priority: -100,000 to 100,999, the larger the sooner.
    """

    run: RunId
    queue: str
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A run that a slot has taken and not ended."""

    run: RunId
    queue: str
    executor: str


class Dispatch(Protocol):
    """The server's side of the engine. Every call may be repeated; any thread may call.

    Raises:
        Unavailable: (every method) the engine's database cannot be reached.
    """

    def enqueue_all(self, runs: Sequence[Queued]) -> None:
        """Give it runs, in this order and all or none; does nothing about those that it has."""
        ...

    def cancel(self, run: RunId) -> None:
        """Take it back, whether it waits or runs: its slot notices and kills the build."""
        ...

    def move(self, runs: Sequence[Queued]) -> None:
        """Give runs that nobody has taken another queue or priority: all or none."""
        ...

    def running(self) -> Sequence[Running]:
        """All that slots have taken and not ended."""
        ...

    def give_back(self, runs: Iterable[Running]) -> None:
        """Let others take what lost slots had; the queue stays."""
        ...

    def known(self, runs: Iterable[RunId]) -> frozenset[RunId]:
        """Those that the engine has heard of, whatever became of them."""
        ...

    def alive(self, runs: Iterable[RunId]) -> frozenset[RunId]:
        """Those that wait in it or that a slot has taken."""
        ...

    def prune(self, before: float) -> int:
        """Forget runs that ended before a time (seconds since 1970); gives how many."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


Ownership = Callable[[], bool]
"""Whether the run is still this slot's. Raises what the database raises when it is away."""

Execute = Callable[[RunId, Ownership], None]
"""What a slot does with a run: returns when it is over, however it went; must not raise."""
