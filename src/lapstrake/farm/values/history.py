"""What happened on the farm: events, and tasks that have ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from lapstrake.farm.values.attempts import Peaks
from lapstrake.farm.values.tasks import TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, for the history, the live pages and webhooks.

    Attributes:
        id: grows.
        at: when.
        kind: ``task.queued``, ``group.finished``, ``worker.silent`` ...
        task, group: what it is about, or ``None``.
        worker: likewise, or empty.
        text: one line for people.
    """

    id: int
    at: float
    kind: str
    task: int | None = None
    group: int | None = None
    worker: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A task that has ended, as a row of the history.

    Attributes:
        task: its number.
        name, branch, arch: of its spec.
        state: how it ended.
        worker: that built it; empty when none did.
        finished: when.
        seconds: from the claim of the newest attempt to its end; 0 when nothing was built.
        peaks: of the newest attempt.
    """

    task: int
    name: str
    branch: str
    arch: str
    state: TaskState
    worker: str = ""
    finished: float = 0.0
    seconds: float = 0.0
    peaks: Peaks = field(default_factory=Peaks)
