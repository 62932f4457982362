"""Watch a sandbox from start to end: output, deadline, memory, disk, samples, and the kill."""

from __future__ import annotations

import os
import select
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from lapstrake.host import cgroup, sandbox
from lapstrake.host.sandbox import SandboxPlan, SandboxProcess
from lapstrake.host.usage import Ending, Limits, Outcome, Sample, Usage

SAMPLE_SECONDS = 3.0
"""How often a sample is kept (the interval the seed proposes)."""
_GUARD_SECONDS = 0.25
_READ_BYTES = 1 << 16
_DRAIN_SECONDS = 2.0
_DISK_SHARE = 20  # a walk over the workspace may take at most 1/20 of the time


class Meter(Protocol):
    """What counts, limits and kills all processes of a sandbox together: a control group, say."""

    def observe(self) -> None:
        """Look now, where what was used cannot be asked for at the end."""
        ...

    def memory(self) -> int:
        """Bytes of memory in use now."""
        ...

    def peak_memory(self) -> int:
        """The most bytes ever in use at a time."""
        ...

    def processes(self) -> int:
        """How many processes and threads there are now."""
        ...

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        ...

    def exceeded(self) -> Ending | None:
        """Which limit the kernel held them to, by killing one or by refusing a new one."""
        ...

    def kill(self) -> None:
        """Kill all that are left."""
        ...

    def remove(self) -> None:
        """Let go of it; nothing is left in it."""
        ...


@dataclass(slots=True, kw_only=True)
class _Watch:
    """The state of one watched command."""

    process: SandboxProcess
    limits: Limits
    group: Meter | None
    workspace: Path | None
    measure: Callable[[Path], int]
    started: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    next_sample: float = 0.0
    next_walk: float = 0.0
    disk: int = 0
    peak_memory: int = 0
    peak_disk: int = 0
    free_at_start: int = 0
    ending: Ending = Ending.EXITED

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def check_limits(self) -> Ending | None:
        """Look at the clock, the memory and the disk; say which limit is broken."""
        limits = self.limits
        if limits.seconds is not None and self.elapsed > limits.seconds:
            return Ending.TIMED_OUT
        if self.group is None:
            broken = self._check_tree()
            if broken is not None:
                return broken
        if limits.disk is not None and self.workspace is not None and self._disk_suspect():
            self._walk()
            if self.disk > limits.disk:
                return Ending.OUT_OF_DISK
        return None

    def _check_tree(self) -> Ending | None:
        """Where the kernel keeps no limits for us: add up what the processes use."""
        limits = self.limits
        if limits.memory is None and limits.processes is None:
            return None
        memory, _, count = tree_usage(self.process.process.pid)
        self.peak_memory = max(self.peak_memory, memory)
        if limits.memory is not None and memory > limits.memory:
            return Ending.OUT_OF_MEMORY
        if limits.processes is not None and count > limits.processes:
            return Ending.OUT_OF_PROCESSES
        return None

    def _disk_suspect(self) -> bool:
        """The file system's free space falls at once; a walk over the workspace takes long."""
        assert self.workspace is not None  # noqa: S101 - the caller looked
        assert self.limits.disk is not None  # noqa: S101
        gone = self.free_at_start - free_bytes(self.workspace)
        return self.disk + gone > self.limits.disk or self.elapsed >= self.next_walk

    def _walk(self) -> None:
        assert self.workspace is not None  # noqa: S101
        before = time.monotonic()
        self.disk = self.measure(self.workspace)
        self.peak_disk = max(self.peak_disk, self.disk)
        self.next_walk = self.elapsed + max(
            SAMPLE_SECONDS, _DISK_SHARE * (time.monotonic() - before)
        )

    def look_last(self) -> None:
        """What short commands left is their peak: they end before anybody walks."""
        if self.workspace is not None:
            self._walk()

    def sample(self) -> None:
        """Keep what is used now."""
        if self.workspace is not None and self.elapsed >= self.next_walk:
            self._walk()
        if self.group is not None:
            memory, cpu, count = (
                self.group.memory(),
                self.group.cpu_seconds(),
                self.group.processes(),
            )
        else:
            memory, cpu, count = tree_usage(self.process.process.pid)
        self.peak_memory = max(self.peak_memory, memory)
        self.samples.append(
            Sample(
                seconds=round(self.elapsed, 2),
                memory=memory,
                cpu_seconds=round(cpu, 2),
                disk=self.disk,
                processes=count,
            )
        )
        self.next_sample = self.elapsed + SAMPLE_SECONDS

    def usage(self) -> Usage:
        """Everything it used; exact where the kernel counted."""
        used = None if self.process.delegates else self.process.used
        cpu = used.ru_utime + used.ru_stime if used else 0.0
        largest = used.ru_maxrss * 1024 if used else 0  # the largest single process
        if self.group is not None:
            cpu = max(cpu, self.group.cpu_seconds())
        peak = self.group.peak_memory() if self.group is not None else 0
        return Usage(
            wall_seconds=self.elapsed,
            cpu_seconds=cpu,
            peak_memory=peak or max(self.peak_memory, largest),
            peak_disk=self.peak_disk,
            samples=tuple(self.samples),
        )


def run(
    plan: SandboxPlan,
    *,
    limits: Limits,
    on_output: Callable[[bytes], None],
    workspace: Path | None = None,
    measure: Callable[[Path], int] | None = None,
    rlimits: Mapping[str, int] | None = None,
) -> Outcome:
    """Start a sandbox in a control group of its own, where the host has any, and follow it.

    Args:
        plan: what is started.
        limits: see `watch`, like the rest.
        on_output: likewise.
        workspace: likewise.
        measure: likewise.
        rlimits: what the kernel is to hold each process to where there is no control group.

    Raises:
        RunnerError: the sandbox could not be set up.
    """
    group = cgroup.create(limits)
    try:
        if group is not None:
            process = sandbox.spawn(replace(plan, cgroups=group.members))
        else:
            process = sandbox.spawn(replace(plan, rlimits=rlimits) if rlimits else plan)
    except BaseException:
        if group is not None:
            group.remove()
        raise
    return watch(
        process,
        limits=limits,
        on_output=on_output,
        group=group,
        workspace=workspace,
        measure=measure,
    )


def watch(
    process: SandboxProcess,
    *,
    limits: Limits,
    on_output: Callable[[bytes], None],
    group: Meter | None = None,
    workspace: Path | None = None,
    measure: Callable[[Path], int] | None = None,
) -> Outcome:
    """Follow a started sandbox until everything in it is dead.

    Args:
        process: what was started.
        limits: when to kill it.
        on_output: gets its output as it comes.
        group: its control group, whose limits the kernel enforces.
        workspace: the folder whose size counts as its disk use.
        measure: tells a folder's size in bytes; `tree_size` when not given.

    Raises:
        RunnerError: the sandbox could not be set up.
    """
    watched = _Watch(
        process=process,
        limits=limits,
        group=group,
        workspace=workspace,
        measure=measure or tree_size,
    )
    if workspace is not None and limits.disk is not None:
        watched.free_at_start = free_bytes(workspace)
    watched.next_sample = SAMPLE_SECONDS
    watched.next_walk = SAMPLE_SECONDS
    try:
        _follow(watched, on_output)
        process.kill()
        failure = process.failure()
        if failure is not None:
            raise failure
        watched.look_last()
        return _outcome(watched)
    finally:
        process.close()
        if group is not None:
            group.kill()
            group.remove()


def _follow(watched: _Watch, on_output: Callable[[bytes], None]) -> None:
    """Hand on output until the supervisor ends, or a limit does."""
    process = watched.process
    ended = os.pidfd_open(process.process.pid)
    poll = select.poll()
    poll.register(ended, select.POLLIN)
    if process.output is not None:
        poll.register(process.output, select.POLLIN)
    try:
        while True:
            ready = [descriptor for descriptor, _ in poll.poll(_GUARD_SECONDS * 1000)]
            if process.output in ready and not _pass_on(process.output, on_output):
                poll.unregister(process.output)
            if ended in ready:
                break
            if watched.group is not None:
                watched.group.observe()
            broken = watched.check_limits()
            if broken is not None:
                watched.ending = broken
                watched.sample()
                process.kill()
                break
            if watched.elapsed >= watched.next_sample:
                watched.sample()
        _drain(process.output, on_output)
    finally:
        os.close(ended)


def _pass_on(output: int | None, on_output: Callable[[bytes], None]) -> bool:
    """Read once; False at the end of the output."""
    assert output is not None  # noqa: S101 - it was ready
    data = os.read(output, _READ_BYTES)
    if data:
        on_output(data)
    return bool(data)


def _drain(output: int | None, on_output: Callable[[bytes], None]) -> None:
    """What the pipe still holds; bounded, in case somebody outside holds its other end."""
    if output is None:
        return
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline and select.select([output], [], [], 0.05)[0]:
        if not _pass_on(output, on_output):
            return


def _outcome(watched: _Watch) -> Outcome:
    """Put together how it ended."""
    ending = watched.ending
    group = watched.group
    status = watched.process.process.returncode
    if ending is Ending.EXITED and status != 0 and group is not None:
        ending = group.exceeded() or ending
    return Outcome(
        status=status if status >= 0 else 128 - status, ending=ending, usage=watched.usage()
    )


def tree_usage(root: int) -> tuple[int, float, int]:
    """Memory (bytes), CPU seconds and number of processes of a tree."""
    import psutil

    memory, cpu, count = 0, 0.0, 0
    try:
        processes = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0, 0.0, 0
    for process in processes:
        try:
            times = process.cpu_times()
            memory += process.memory_info().rss
        except psutil.Error:
            continue
        cpu += times.user + times.system
        count += 1
    return memory, cpu, count


def tree_size(folder: Path) -> int:
    """Bytes on disk of a folder, as du(1) counts them: files with several names count once.

    What cannot be read (other users' folders, paths over 4,095 bytes) is left out.
    """
    return measure_tree(folder)[0]


def measure_tree(folder: Path) -> tuple[int, bool]:
    """Bytes on disk as `tree_size` counts them, and whether nothing was left out."""
    try:
        total = folder.lstat().st_blocks * 512
    except OSError:
        return 0, True
    pending, whole = [os.fspath(folder)], True
    linked: set[tuple[int, int]] = set()
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    facts = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(facts.st_mode):
                        pending.append(entry.path)
                    elif facts.st_nlink > 1:
                        if (facts.st_dev, facts.st_ino) in linked:
                            continue
                        linked.add((facts.st_dev, facts.st_ino))
                    total += facts.st_blocks * 512
        except FileNotFoundError:
            continue
        except OSError:
            whole = False
    return total, whole


def free_bytes(folder: Path) -> int:
    """What the file system of a folder still has for us."""
    facts = os.statvfs(folder)
    return facts.f_bavail * facts.f_frsize
