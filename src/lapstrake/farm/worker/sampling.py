"""What a build uses while it runs: the counts of its control group, or of its processes.

Measuring must never harm: whatever goes wrong costs a sample, no build.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from lapstrake.farm.base import Peaks, ResourceSample
from lapstrake.host.supervise import SAMPLE_SECONDS, tree_size

_WALK_SHARE = 20  # a walk over the workspaces may take at most 1/20 of the time


class Sampler:
    """Measures a tree of processes every 3 s, in a thread of its own, until it is stopped.

    Args:
        root: the uppermost process.
        workspaces: the folder whose entries ``PURPOSE-PID-…`` belong to process PID of the tree.
        networked: whether to count the machine's network; a build's own is empty.
        on_sample: told of each.
    """

    def __init__(
        self,
        root: int,
        *,
        workspaces: Path,
        networked: bool,
        on_sample: Callable[[ResourceSample], None],
    ) -> None:
        self._root, self._workspaces, self._networked = root, workspaces, networked
        self._on_sample = on_sample
        self._began = time.monotonic()
        self._network = network_bytes()
        self._disk, self._next_walk = 0, 0.0
        self._cpu = 0.0
        self.peaks = Peaks()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)
        self._thread.start()

    def stop(self) -> Peaks:
        """Measure no more; gives the most of everything."""
        self._stopped.set()
        self._thread.join(timeout=1.0)
        return self.peaks

    def _run(self) -> None:
        pause = 0.2  # the first one soon: many builds are short
        while not self._stopped.wait(pause):
            try:
                sample = self._measure()
                self.peaks = raised(self.peaks, sample)
                self._on_sample(sample)
            except (psutil.Error, OSError, ValueError):
                pass
            pause = SAMPLE_SECONDS

    def _measure(self) -> ResourceSample:
        tree = processes_of(self._root)
        memory, cpu = 0, 0.0
        for process in tree:
            try:
                times = process.cpu_times()
                memory += process.memory_info().rss
            except psutil.Error:
                continue
            cpu += times.user + times.system + times.children_user + times.children_system
        self._cpu = max(self._cpu, cpu)
        received, sent = network_bytes()
        return ResourceSample(
            seconds=round(time.monotonic() - self._began, 2),
            cpu_seconds=round(self._cpu, 2),
            memory=memory,
            disk=self._measure_disk({process.pid for process in tree}),
            processes=len(tree),
            received=received - self._network[0] if self._networked else 0,
            sent=sent - self._network[1] if self._networked else 0,
        )

    def _measure_disk(self, tree: set[int]) -> int:
        """Bytes of the tree's workspaces; looked at less often when they are large."""
        began = time.monotonic()
        if began < self._next_walk or not self._workspaces.is_dir():
            return self._disk
        folders = [
            folder
            for folder in self._workspaces.iterdir()
            if folder.is_dir() and _owner(folder.name) in tree
        ]
        self._disk = sum(tree_size(folder) for folder in folders)
        self._next_walk = began + _WALK_SHARE * (time.monotonic() - began)
        return self._disk


def processes_of(root: int) -> list[psutil.Process]:
    """A process and all below it; the process above all (the keeper) adopts orphans."""
    try:
        top = psutil.Process(root)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def network_bytes() -> tuple[int, int]:
    """What the machine's interfaces received and sent so far, but for the loopback."""
    received = sent = 0
    for name, counts in psutil.net_io_counters(pernic=True).items():
        if name != "lo":
            received += counts.bytes_recv
            sent += counts.bytes_sent
    return received, sent


def raised(peaks: Peaks, sample: ResourceSample) -> Peaks:
    """The most of everything, with one more sample."""
    return Peaks(
        wall_seconds=max(peaks.wall_seconds, sample.seconds),
        cpu_seconds=max(peaks.cpu_seconds, sample.cpu_seconds),
        memory=max(peaks.memory, sample.memory),
        disk=max(peaks.disk, sample.disk),
        processes=max(peaks.processes, sample.processes),
        received=max(peaks.received, sample.received),
        sent=max(peaks.sent, sample.sent),
    )


def joined(one: Peaks, other: Peaks) -> Peaks:
    """The larger of each."""
    return Peaks(
        wall_seconds=max(one.wall_seconds, other.wall_seconds),
        cpu_seconds=max(one.cpu_seconds, other.cpu_seconds),
        memory=max(one.memory, other.memory),
        disk=max(one.disk, other.disk),
        processes=max(one.processes, other.processes),
        received=max(one.received, other.received),
        sent=max(one.sent, other.sent),
    )


def _owner(name: str) -> int:
    """The process that a workspace's name tells of; 0 for none."""
    number = name.split("-")[-2] if name.count("-") >= 2 else ""
    return int(number) if number.isdigit() else 0
