"""Container engines, docker and podman, through their command line."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lapstrake.errors import LapstrakeError, RunnerError
from lapstrake.host import process, transfer
from lapstrake.host.cgroup import ControlGroup
from lapstrake.host.engine_version import EngineKind, is_unreachable, parse_version, remedy
from lapstrake.host.usage import Ending
from lapstrake.names import GuestPath

_QUICK = 60.0  # seconds for what only asks
_LONG = 1800.0  # for what copies
_ROOT = GuestPath("/")
_OBSERVE_SECONDS = 0.2
_PASSED_ON = (
    "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "CONTAINER_HOST",
    "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """A container engine that answers."""

    program: Path
    kind: EngineKind
    version: tuple[int, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        """What the engine's client may see of our environment: where its daemon and store are."""
        return _environment()

    @property
    def whole_environment(self) -> dict[str, str]:
        """The client's environment where it is not started by `call`."""
        return process.clean_environment(self.environment)

    def call(
        self,
        *words: str | Path,
        doing: str,
        timeout: float = _QUICK,
        stdin: bytes | int = b"",
        env: Mapping[str, str] | None = None,
    ) -> process.Completed:
        """Run the client; raises `RunnerError` with the engine's own words.

        Args:
            words: its arguments; never a secret, since anybody may read them.
            doing: what for, the beginning of the error's brief.
            timeout: seconds.
            stdin: what it reads, or a descriptor that it reads from.
            env: more variables for it: what ``--env NAME`` hands to a container.
        """
        try:
            return process.run(
                [self.program, *words],
                timeout=timeout,
                error=RunnerError,
                doing=doing,
                env={**(env or {}), **self.environment},
                stdin=stdin,
            )
        except RunnerError as refused:
            refused.resolution = refused.resolution or remedy(refused.details)
            raise

    def inspect(self, kind: str, name: str) -> dict[str, Any] | None:
        """What the engine knows of a container, an image or a volume; ``None`` if there is none.

        Raises:
            RunnerError: it does not answer.
        """
        answer = process.run(
            [self.program, kind, "inspect", name],
            timeout=_QUICK,
            error=RunnerError,
            doing=f"asking {self.kind} about {name}",
            env=self.environment,
            allowed=(0, 1, 125),
        )
        said = answer.stderr.decode("utf-8", "replace")
        if answer.status != 0 and is_unreachable(said):
            raise RunnerError(
                f"{self.kind} does not answer", details=said.strip(), resolution=remedy(said)
            )
        rows = json.loads(answer.text or "[]") if answer.status == 0 else []
        return rows[0] if rows else None

    def labelled(self, kind: str, label: str) -> list[str]:
        """The ids of the containers or images that have a label, or the volumes' names."""
        listing = {
            "container": ("ps", "--all", "--no-trunc"),
            "image": ("images", "--no-trunc"),
            "volume": ("volume", "ls"),
        }
        answer = self.call(
            *listing[kind], "--quiet", "--filter", f"label={label}",
            doing=f"listing {self.kind}'s {kind}s",
        )  # fmt: skip
        return list(dict.fromkeys(answer.text.split()))

    def copy_in(self, container: str, tar: Path, target: GuestPath = _ROOT) -> None:
        """Unpack a tar in a folder of a container that does not run."""
        with tar.open("rb") as file:
            self.call(
                "cp", "-", f"{container}:{target}",
                doing="copying into the container", timeout=_LONG, stdin=file.fileno(),
            )  # fmt: skip

    def copy_out(
        self,
        container: str,
        source: GuestPath,
        target: Path,
        *,
        whole: bool = False,
        error: type[LapstrakeError] = RunnerError,
    ) -> None:
        """Copy regular files out of a container that does not run, as data.

        Args:
            container: its id.
            source: a file or a folder; nothing is copied when it is not there.
            target: what it becomes.
            whole: with links and times, as `transfer.unpack_whole` does it.
            error: raised when what comes cannot be taken.
        """
        unpack = transfer.unpack_whole if whole else transfer.unpack_confined
        argv: list[str | Path] = [self.program, "cp", f"{container}:{source}", "-"]
        with tempfile.TemporaryFile() as said:
            with process.open_output(argv, errors=said, env=self.environment) as client:
                assert client.stdout is not None  # noqa: S101 - it is a pipe
                if not client.stdout.peek(1):  # type: ignore[attr-defined]  # it is buffered
                    client.wait()
                else:
                    unpack(client.stdout, target, error=error)
                    return
            said.seek(0)
            message = said.read().decode("utf-8", "replace").strip()
            missing = ("could not find the file", "could not be found")
            if client.returncode != 0 and not any(word in message.lower() for word in missing):
                raise RunnerError(f"copying {source} out of the container failed", details=message)

    def remove(self, containers: Sequence[str], images: Sequence[str] = ()) -> None:
        """Remove containers, running or not, then images; what is gone already is no error."""
        for words, names in (("rm --force --volumes", containers), ("rmi --force", images)):
            if names:
                with contextlib.suppress(RunnerError):
                    self.call(*words.split(), *names, doing="removing containers", timeout=_LONG)


def find_engine(program: str = "") -> Engine:
    """Find the engine to use: the program that is asked for, else docker, else podman.

    Raises:
        RunnerError: none answers; the details say why.
    """
    problems, remedies = [], []
    for name in (program,) if program else tuple(EngineKind):
        try:
            return _ask(name)
        except RunnerError as useless:
            problems.append(f"{name}: {useless.brief}")
            remedies.append(useless.resolution)
    advice = next(filter(None, remedies), "Install one: apt install podman, or docker.io.")
    raise RunnerError("no container engine answers", details="\n".join(problems), resolution=advice)


def _ask(name: str) -> Engine:
    """An engine by its program's name; raises `RunnerError` when it cannot be used."""
    path = process.find_program(name)
    if path is None:
        raise RunnerError("not installed")
    quick: dict[str, Any] = {"timeout": _QUICK, "error": RunnerError, "env": _environment()}
    version = parse_version(process.run([path, "--version"], **quick).text)
    words: list[str | Path] = [path, "version", "--format", "{{.Client.Version}} {{.Server}}"]
    answer = process.run(words, **quick, allowed=(0, 1, 125))
    if answer.status != 0:
        message = process.tail(answer.stderr, 1)
        raise RunnerError(message, resolution=remedy(message))
    return Engine(program=path, kind=version.kind, version=version.numbers)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


@dataclass(slots=True, kw_only=True)
class ContainerMeter:
    """What a container uses, read from its control group on this host while it runs.

    The engine removes the group when the container ends, so the last look counts. A container of
    another host's engine is not measured.
    """

    engine: Engine
    container: str
    group: ControlGroup | None = None
    next_look: float = 0.0
    misses: int = 0
    cpu: float = 0.0
    peak: int = 0
    broken: Ending | None = None
    state: dict[str, Any] = field(default_factory=dict)

    def observe(self) -> None:
        """Look at the counts, some times a second."""
        if time.monotonic() < self.next_look:
            return
        if self.group is None and self.misses < 20:
            self.misses += 1
            self.group = self._find_group()
        self.cpu = max(self.cpu, self.cpu_seconds())
        if self.group is not None:
            self.peak = max(self.peak, self.group.peak_memory())
            self.broken = self.broken or self.group.exceeded()
        self.next_look = time.monotonic() + _OBSERVE_SECONDS

    def memory(self) -> int:
        """Bytes of memory in use now."""
        return self.group.memory() if self.group else 0

    def peak_memory(self) -> int:
        """The most bytes seen in use at a time."""
        return self.peak

    def processes(self) -> int:
        """How many processes and threads there are now."""
        return self.group.processes() if self.group else 0

    def cpu_seconds(self) -> float:
        """User and system time up to the last look."""
        return max(self.cpu, self.group.cpu_seconds() if self.group else 0.0)

    def exceeded(self) -> Ending | None:
        """What we saw, or the engine says (podman knows only with cgroups version 2)."""
        killed = bool(self.ended().get("OOMKilled"))
        return Ending.OUT_OF_MEMORY if killed else self.broken

    def kill(self) -> None:
        """Nothing: the sandbox's farewell has killed the container."""

    def remove(self) -> None:
        """Nothing: the control group is the engine's."""

    def ended(self) -> dict[str, Any]:
        """The engine's account (``State``) of the container once it does not run any more."""
        deadline = time.monotonic() + _QUICK
        while not self.state and time.monotonic() < deadline:
            facts = self.engine.inspect("container", self.container)
            if facts is None:
                break
            if not facts["State"]["Running"]:
                self.state = facts["State"]
                break
            time.sleep(0.05)
        return self.state

    def _find_group(self) -> ControlGroup | None:
        """The control group of the container's first process, if that runs on this host."""
        try:
            facts = self.engine.inspect("container", self.container)
        except RunnerError:  # it may answer again; how the container ended is asked for in `ended`
            return None
        number = facts["State"]["Pid"] if facts else 0
        return ControlGroup.of_process(number, self.container) if number else None
