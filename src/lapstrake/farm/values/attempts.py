"""Attempts: what a worker gets when it claims a task, and what it tells of its try."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lapstrake.farm.values.tasks import OutputFile, TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The most that an attempt used, and its sums; ``None``: nobody knows, see `ResourceSample`."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    disk: int = 0
    processes: int = 0
    received: int | None = 0
    sent: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSample:
    """What an attempt used at one moment.

    Attributes:
        seconds: since the attempt began.
        cpu_seconds: so far.
        memory: bytes resident.
        disk: bytes in the workspace.
        processes: how many.
        received: bytes that the build itself got from its network so far; ``None`` when it has none
            of its own: then the worker cannot tell them from the machine's.
        sent: bytes that it sent, likewise.
    """

    seconds: float
    cpu_seconds: float
    memory: int
    disk: int = 0
    processes: int = 0
    received: int | None = 0
    sent: int | None = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One worker's try at a task.

    Attributes:
        number: from 1 within the task; the newest one counts.
        worker: the worker's name.
        executor: the engine's name of the slot's process.
        started: when it was claimed.
        finished: 0 while it runs.
        ending: ``success``, ``failed``, ``cancelled``, ``lost`` ...; empty while it runs.
        error: the first line of what went wrong.
        exit_code: as of `lapstrake build`.
        step: the step that failed.
        log_size: bytes of its log so far.
        peaks: what it used.
    """

    number: int
    worker: str
    executor: str = ""
    started: float = 0.0
    finished: float = 0.0
    ending: str = ""
    error: str = ""
    exit_code: int = 0
    step: str = ""
    log_size: int = 0
    peaks: Peaks = field(default_factory=Peaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker gets when it claims a task: all that an attempt needs to know.

    Attributes:
        task: the task's number.
        attempt: this attempt's.
        spec: what to build.
        bundle_size: bytes of the uploaded archive, 0 when there is none.
        reserved_cores: processors that placement gave it, 0 for as the worker likes.
        owner: who asked for it: a token's name.
    """

    task: int
    attempt: int
    spec: TaskSpec
    bundle_size: int = 0
    reserved_cores: int = 0
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended, as its worker tells.

    Attributes:
        ok: whether the build went well.
        outputs: what it made, or what was kept of it when it failed; their bytes are in the content
            store already.
        error: the first line of what went wrong.
        details: more lines of it.
        exit_code: as of `lapstrake build`.
        step: the step that failed.
        version: of the bundle.
        peaks: what it used.
        inputs: what it was made from, for the record.
    """

    ok: bool
    outputs: tuple[OutputFile, ...] = ()
    error: str = ""
    details: str = ""
    exit_code: int = 0
    step: str = ""
    version: str = ""
    peaks: Peaks = field(default_factory=Peaks)
    inputs: Mapping[str, object] = field(default_factory=dict)
