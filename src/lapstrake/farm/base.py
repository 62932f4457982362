"""The farm's words as values: what the server keeps, sends and shows; what workers report.

They are plain frozen dataclasses: the same ones are built from rows, sent as JSON (pydantic reads
and writes dataclasses as they are) and held by the client. Times are seconds since 1970, sizes
are bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


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


class GroupState(StrEnum):
    """How a group stands."""

    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Scope(StrEnum):
    """What a token allows; each includes those before it, but for `WORKER`, which stands apart."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"
    WORKER = "worker"


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
        requires: what the machine must have.
        seconds: the most time the build may take; 0 for the worker's own limit.
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
    requires: Requirements = field(default_factory=Requirements)
    seconds: float = 0.0
    memory: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """The most that an attempt used, and its sums."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    memory: int = 0
    disk: int = 0
    processes: int = 0
    received: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSample:
    """What an attempt used at one moment.

    Attributes:
        seconds: since the attempt began.
        cpu_seconds: so far.
        memory: bytes resident.
        disk: bytes in the workspace.
        processes: how many.
        received: bytes from the network so far, as far as the worker can tell.
        sent: bytes to it.
    """

    seconds: float
    cpu_seconds: float
    memory: int
    disk: int = 0
    processes: int = 0
    received: int = 0
    sent: int = 0


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
        outputs: what it made.
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
class MemberSpec:
    """A member of a group to be.

    Attributes:
        name: unique in the group.
        spec: what to build; its branch is the group's when it has none.
        needs: the members that must be published before; ``None`` to find out from the bundles.
        priority: added to the group's.
    """

    name: str
    spec: TaskSpec
    needs: tuple[str, ...] | None = None
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSpec:
    """A group to be.

    Attributes:
        name: what people call it.
        branch: for members that name none.
        members: in any order.
        stop: start nothing more after the first failure; otherwise all goes on that can.
        priority: of all members.
    """

    name: str = ""
    branch: str = ""
    members: tuple[MemberSpec, ...] = ()
    stop: bool = False
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A member of a group as it stands."""

    name: str
    task: int
    state: TaskState
    needs: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tasks that need each other."""

    id: int
    name: str
    branch: str
    state: GroupState
    owner: str = ""
    stop: bool = False
    priority: int = 0
    created: float = 0.0
    finished: float = 0.0
    members: tuple[Member, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFacts:
    """What a worker says of its machine when it comes.

    Attributes:
        name: unique on the farm.
        incarnation: random, new for each start: tells a restart from a rival of the same name.
        arches: Debian's names of what it can run, its own first.
        emulated: those of them that are emulated.
        capabilities: words: runners (``nspawn``, ``userns``, ``docker``), ``kvm``, the user's own.
        slots: builds at a time.
        cores: processors.
        memory: bytes.
        disk: bytes free where it builds.
        version: of Lapstrake.
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
    slots: int = 1
    cores: int = 1
    memory: int = 0
    disk: int = 0
    version: str = ""
    clock: float = 0.0
    embedded: bool = False
    replaces: str = ""


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
        stop: finish, then end.
        cancel: tasks to kill at once.
        queues: the engine's queues that it serves now; grows as new requirements come.
    """

    drain: bool = False
    stop: bool = False
    cancel: tuple[int, ...] = ()
    queues: tuple[str, ...] = ()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """What a worker is told when it comes.

    Attributes:
        engine: the engine's address (a URL with credentials of the engine's own role).
        queues: the engine's queues that it serves.
        heartbeat: seconds between heartbeats.
        fence: seconds without the engine after which it kills what it builds.
        retries: attempts at a request that found no server, until `fence` says otherwise.
        clock: the server's time.
    """

    engine: str
    queues: tuple[str, ...]
    heartbeat: float
    fence: float
    clock: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a worker gets when it claims a task: all that an attempt needs to know.

    Attributes:
        task: the task's number.
        attempt: this attempt's.
        spec: what to build.
        bundle_size: bytes of the uploaded archive, 0 when there is none.
        stack: the key of the branch's uppermost layer on the server, empty when the server has no
            root of this architecture; see ``GET /api/v1/branches/NAME/stack``.
        repository: the digest that names the state of the branch's repository.
        reserved_cores: processors that placement gave it, 0 for as the worker likes.
    """

    task: int
    attempt: int
    spec: TaskSpec
    bundle_size: int = 0
    stack: str = ""
    repository: str = ""
    reserved_cores: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How an attempt ended, as its worker tells.

    Attributes:
        ok: whether the build went well.
        outputs: what it made; their bytes are in the content store already.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """One reason why a task waits, and what would end it."""

    reason: str
    advice: str = ""
    task: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some of a long list.

    Attributes:
        items: in the list's order.
        next: what to give as ``after`` for those that follow; ``None`` at the end.
    """

    items: tuple[T, ...]
    next: str | None = None
