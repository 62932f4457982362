"""Tasks: what is to be built, how it stands, what it made, what it waits for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class TaskKind(StrEnum):
    """What a task makes."""

    BUNDLE = "bundle"
    """Packages for a branch."""
    ARTIFACT = "artifact"
    """An artifact of a project: a system, a toolchain, a tool."""


class TaskState(StrEnum):
    """How a task stands; `lapstrake.farm.model.states` has the legal moves."""

    NEW = "new"
    """It lacks a bundle, a branch, or the word to build."""
    WAITING = "waiting"
    """For other tasks: what it needs, or one that makes the same."""
    QUEUED = "queued"
    """The engine has it; no worker has taken it."""
    FETCHING = "fetching"
    """A worker has it and brings together what it needs."""
    BUILDING = "building"
    """A worker builds it."""
    PUBLISHING = "publishing"
    """The server has the results and puts them into the repository."""
    SUCCESS = "success"
    FAILED = "failed"
    """The build failed: its log says why."""
    ERROR = "error"
    """The farm failed: too many lost workers, or a deadline passed."""
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """Something that it needs failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What a machine must have to take a task.

    Attributes:
        capabilities: words that a worker must claim (``kvm``, ``docker`` ...), sorted.
        cores: at least so many; 0 for any.
        memory: bytes at least.
        disk: bytes free at least.
        worker: only the worker of this name; empty for any.
    """

    capabilities: tuple[str, ...] = ()
    cores: int = 0
    memory: int = 0
    disk: int = 0
    worker: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """What is to be built, and how; the same specs with the same content make the same.

    Attributes:
        kind: what it makes.
        name: what people call it: a bundle's folder, ``hello``, ``app-utils/jq``.
        bundle: the digest of an uploaded archive of the bundle's folder (or of the project's, for
            artifacts), ``sha256:…``; empty when `source` says where it is.
        source: ``apt:NAME[=VERSION]``, or a bundle's address in a tree of the server.
        branch: the branch to build for and to publish to.
        arch: Debian's name of the machine that builds.
        target: the machine to build for; empty for `arch`.
        build_kind: which binary packages of a Debian source: ``full``, ``any``, ``all``.
        profiles: build profiles of a Debian source.
        network: let the build reach the network.
        package: of a project: which of its packages (`TaskKind.ARTIFACT` only).
        publish: put the results into the branch's repository.
        fresh: build, even if the same was built before.
        keep_failed: if the build of a bundle fails, keep its build folder, as a file to download.
        requires: what the machine must have.
        seconds: the most time the build may take; 0 for the worker's own limit.
        silence: seconds for which the build's log may say nothing; 0 for the server's own limit.
        memory: bytes that the build may use; 0 for the worker's own limit.
    """

    kind: TaskKind = TaskKind.BUNDLE
    name: str = ""
    bundle: str = ""
    source: str = ""
    branch: str = ""
    arch: str = ""
    target: str = ""
    build_kind: str = "full"
    profiles: tuple[str, ...] = ()
    network: bool = False
    package: str = ""
    publish: bool = True
    fresh: bool = False
    keep_failed: bool = False
    requires: Requirements = field(default_factory=Requirements)
    seconds: float = 0.0
    silence: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """A file that a task made.

    Attributes:
        name: a file's name, no folder.
        digest: ``sha256:…``, of its bytes in the content store.
        size: bytes.
        published: what publishing made of it: its name in the repository, or empty.
    """

    name: str
    digest: str
    size: int
    published: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One build on the farm.

    Attributes:
        id: its number.
        spec: what is to be built.
        state: how it stands.
        priority: the larger the sooner; -100 to 100.
        owner: who asked: a token's name.
        group: the group it is a member of, or ``None``.
        member: its name in the group.
        created, changed, started, finished: when; 0 for not yet.
        deadline: when its state is given up, 0 for never.
        holder: who must act next: ``user``, ``group``, ``engine``, ``worker NAME``, ``server``.
        attempt: the newest attempt's number, 0 for none.
        worker: the worker of that attempt.
        reason: one line: why it is in this state.
        outputs: what it made; what was kept of a build that failed.
        same_as: the task whose result it shares, or ``None``.
        version: what the bundle said; known once it is built.
        exit_code: of the newest attempt.
    """

    id: int
    spec: TaskSpec
    state: TaskState
    priority: int = 0
    owner: str = ""
    group: int | None = None
    member: str = ""
    created: float = 0.0
    changed: float = 0.0
    started: float = 0.0
    finished: float = 0.0
    deadline: float = 0.0
    holder: str = ""
    attempt: int = 0
    worker: str = ""
    reason: str = ""
    outputs: tuple[OutputFile, ...] = ()
    same_as: int | None = None
    version: str = ""
    exit_code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks of a list are wanted; an empty value wants all.

    Attributes:
        states: any of these.
        branch, name, owner, worker: exactly this.
        group: members of this group.
        kind: of this kind.
    """

    states: tuple[TaskState, ...] = ()
    branch: str = ""
    name: str = ""
    owner: str = ""
    worker: str = ""
    group: int | None = None
    kind: TaskKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One reason why a task waits, and what would end it."""

    reason: str
    advice: str = ""
    task: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When placement thinks that a task runs.

    Attributes:
        start: when it begins.
        finish: when it ends.
        basis: what that is based on, one line for people.
    """

    start: float
    finish: float
    basis: str = ""
