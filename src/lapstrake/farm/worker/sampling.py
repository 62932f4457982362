"""What a build uses while it runs: the counts of its control group, or of its processes.

Measuring must never harm: whatever goes wrong costs a sample, no build.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, fields
from itertools import chain
from pathlib import Path
from typing import Any

import psutil

from lapstrake.errors import LapstrakeError
from lapstrake.farm.values.attempts import Peaks, ResourceSample
from lapstrake.farm.worker.traffic import Traffic
from lapstrake.host import cgroup
from lapstrake.host.cgroup import ControlGroup
from lapstrake.host.supervise import SAMPLE_SECONDS, tree_size

_FIRST_SECONDS = 0.5  # many builds are short
_NAMES = tuple(field.name for field in fields(Peaks))
_WALK_SHARE = 20  # a walk over the workspaces may take at most 1/20 of the time


class Sampler:
    """Measures a build every 3 s, in a thread of its own, until it is stopped.

    Args:
        root: the uppermost of its processes.
        workspaces: the folder whose entries ``PURPOSE-PID-…`` belong to process PID of the tree.
        containers: gives the control groups of the containers it has, which are nobody's children.
        traffic: counts what its networks carry.
        begun: whether the build itself runs: what is fetched before is not its traffic.
        on_sample: told of each.
    """

    def __init__(
        self,
        root: int,
        *,
        workspaces: Path,
        containers: Callable[[], Sequence[ControlGroup]],
        traffic: Traffic,
        begun: Callable[[], bool],
        on_sample: Callable[[ResourceSample], None],
    ) -> None:
        self._root, self._workspaces = root, workspaces
        self._traffic, self._begun = traffic, begun
        self._containers, self._on_sample = containers, on_sample
        self._began = time.monotonic()
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
        pause = _FIRST_SECONDS
        while not self._stopped.wait(pause):
            try:
                sample = self._measure()
                self.peaks = joined(self.peaks, peaks_of(sample))
                self._on_sample(sample)
            except (psutil.Error, OSError, ValueError, LapstrakeError):
                pass
            pause = SAMPLE_SECONDS

    def _measure(self) -> ResourceSample:
        tree = processes_of(self._root)
        groups = cgroup.made_by({process.pid for process in tree})
        containers = self._containers()
        memory = sum(group.memory() for group in (*groups, *containers))
        cpu = sum(group.cpu_seconds() for group in containers)
        for process in tree:
            with suppress(psutil.Error):
                times = process.cpu_times()
                cpu += times.user + times.system + times.children_user + times.children_system
                if not (groups and cgroup.is_grouped(process.pid)):
                    memory += process.memory_info().rss
        self._cpu = max(self._cpu, cpu)
        if self._begun():
            inside = chain.from_iterable(group.pids() for group in containers)
            self._traffic.look(chain((process.pid for process in tree), inside))
        received, sent = self._traffic.total()
        return ResourceSample(
            seconds=round(time.monotonic() - self._began, 2),
            cpu_seconds=round(self._cpu, 2),
            memory=memory,
            disk=self._measure_disk({process.pid for process in tree}),
            processes=len(tree) + sum(group.processes() for group in containers),
            received=received,
            sent=sent,
        )

    def _measure_disk(self, tree: set[int]) -> int:
        """Bytes of the tree's workspaces; looked at less often when they are large."""
        began = time.monotonic()
        if began < self._next_walk or not self._workspaces.is_dir():
            return self._disk
        folders = [each for each in self._workspaces.iterdir() if _owner(each.name) in tree]
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


def peaks_of(sample: ResourceSample) -> Peaks:
    """What one sample says of the most."""
    return Peaks(
        wall_seconds=sample.seconds,
        cpu_seconds=sample.cpu_seconds,
        memory=sample.memory,
        disk=sample.disk,
        processes=sample.processes,
        received=sample.received,
        sent=sample.sent,
    )


def joined(one: Peaks, other: Peaks) -> Peaks:
    """The larger of each; what one does not know, both do not."""
    pairs = zip(astuple(one), astuple(other), strict=True)
    most: list[Any] = [None if None in pair else max(pair) for pair in pairs]
    return Peaks(**dict(zip(_NAMES, most, strict=True)))


def _owner(name: str) -> int:
    """The process that a workspace's name tells of; 0 for none."""
    number = name.split("-")[-2] if name.count("-") >= 2 else ""
    return int(number) if number.isdigit() else 0
