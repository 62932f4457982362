"""One claimed job from its begin to its result, as the slot's process sees it."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from lapstrake.config.model import RunnerName
from lapstrake.errors import LapstrakeError, LimitError
from lapstrake.farm.client.answer import read
from lapstrake.farm.values.attempts import Job, Result
from lapstrake.farm.values.tasks import TaskKind
from lapstrake.farm.worker import leftovers
from lapstrake.farm.worker.deadlines import Deadlines
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.ready import ReadyProcess
from lapstrake.farm.worker.sampling import Sampler, joined
from lapstrake.farm.worker.setup import (
    LOCAL,
    AttemptFolder,
    BuildSetup,
    SlotSetup,
    worker_folder,
)
from lapstrake.farm.worker.shipping import Shipper
from lapstrake.farm.worker.traffic import Traffic
from lapstrake.host import files, sandbox
from lapstrake.host.cgroup import ControlGroup

_LOOK_SECONDS = 0.05
_RESULT_BYTES = 1 << 16
_KILLED = 137


class Attempt:
    """A build's process and all that watches it.

    Args:
        setup: the slot's.
        job: what was claimed.
        link: to the server.
        ready: the process that builds it.
    """

    def __init__(self, setup: SlotSetup, job: Job, link: Link, ready: ReadyProcess) -> None:
        self._setup, self._job, self._link, self._ready = setup, job, link, ready
        self._config = setup.worker.config()
        path = worker_folder(self._config, setup.worker.name) / f"{job.task}-{job.attempt}"
        self._folder = AttemptFolder(path=path)
        self._lost = threading.Event()
        self._ooms = memory_kills()

    def lose(self) -> None:
        """It is not ours any more, or cancelled: kill it and report nothing."""
        self._lost.set()

    def run(self) -> Result | None:
        """Build; ``None`` when it is not ours any more. All that it started is dead then."""
        try:
            files.remove_tree(self._folder.path)
            self._folder.path.mkdir(parents=True)
            # The result finds room even when the build has filled the disk.
            self._folder.result.write_bytes(b" " * _RESULT_BYTES)
        except OSError as refused:
            full = files.disk_error(refused, doing=f"beginning task {self._job.task}")
            return Result(ok=False, error=full.brief, exit_code=full.exit_code)
        shipper = Shipper(self._link, self._job, self._folder, self.lose)
        try:
            result = self._build(shipper)
            if not self._lost.is_set():
                shipper.finish()
        finally:
            shipper.give_up()
        return None if self._lost.is_set() else result

    def close(self) -> None:
        """Remove its files."""
        with suppress(OSError):
            files.remove_tree(self._folder.path)

    def _build(self, shipper: Shipper) -> Result:
        began = time.monotonic()
        process = self._start()
        sampler = Sampler(
            process.process.pid,
            workspaces=leftovers.store_folder(self._setup.worker, self._config) / "workspaces",
            containers=self._containers,
            traffic=Traffic(apart=not self._is_on_the_machine()),
            begun=lambda: self._folder.begun.exists() or self._makes_artifacts,
            on_sample=shipper.add,
        )
        try:
            late = self._wait(process)
        finally:
            process.close()
            peaks = sampler.stop()
        if self._lost.is_set() or late:
            leftovers.remove_of_executor(self._setup.worker, self._config, self._setup.executor)
        result = late or self._result(process.process.returncode)
        peaks = joined(peaks, result.peaks)
        return replace(result, peaks=replace(peaks, wall_seconds=time.monotonic() - began))

    @property
    def _makes_artifacts(self) -> bool:
        return self._job.spec.kind is TaskKind.ARTIFACT

    def _is_on_the_machine(self) -> bool:
        """Whether something of it may run in no root and no container."""
        trusting = self._makes_artifacts and LOCAL in self._setup.facts.capabilities
        return trusting or self._config.runner.name is RunnerName.LOCAL

    def _containers(self) -> tuple[ControlGroup, ...]:
        """The containers of this build, where it can have any."""
        docker = self._config.runner.name is RunnerName.DOCKER
        if docker or self._makes_artifacts:
            return leftovers.groups_of_executor(self._config, self._setup.executor)
        return ()

    def _start(self) -> sandbox.SandboxProcess:
        """Let the build begin."""
        setup = BuildSetup(
            worker=self._setup.worker,
            job=self._job,
            folder=self._folder.path,
            executor=self._setup.executor,
            capabilities=self._setup.facts.capabilities,
        )
        return self._ready.begin(setup)

    def _wait(self, process: sandbox.SandboxProcess) -> Result | None:
        """Wait for its end, or for a reason to end it; a result only of a missed deadline."""
        deadlines = Deadlines(self._job.spec, self._folder)
        while process.process.poll() is None:
            if self._lost.wait(_LOOK_SECONDS):
                return None
            if (stopped := deadlines.missed()) is not None:
                return stopped
        return None

    def _result(self, status: int) -> Result:
        """What the build's process wrote; if nothing, why."""
        with suppress(OSError, LapstrakeError):
            return read(Result, self._folder.result.read_bytes())
        if status in {_KILLED, -9} and memory_kills() > self._ooms:
            return Result(
                ok=False,
                error="the build was killed: the worker ran out of memory",
                details="Its own limit was not reached: set limits.memory, or use fewer slots.",
                exit_code=LimitError.exit_code,
            )
        return Result(
            ok=False,
            error=f"the build's process ended with status {status} and no result",
            exit_code=LapstrakeError.exit_code,
        )


def memory_kills() -> int:
    """How many processes the kernel has killed for want of memory (``/proc/vmstat``)."""
    with suppress(OSError), Path("/proc/vmstat").open() as file:
        for line in file:
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0
