"""Processes that are slots of the farm's engine, and a build that lasts until a test says so."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil

from lapstrake.farm.engine.base import Ownership, RunId
from lapstrake.farm.engine.slot import Slot

_STARTING = multiprocessing.get_context("forkserver")
_STARTING.set_forkserver_preload(["lapstrake.farm.engine.slot", "psutil"])

PATIENCE = 20.0
"""Seconds within which what must happen has happened, on a crowded machine."""


def eventually(holds: Callable[[], object], what: str = "") -> None:
    """Wait until something holds."""
    last = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < last, f"not within {PATIENCE:g} s: {what or holds}"
        time.sleep(0.02)


@dataclass
class SlotProcess:
    """A slot in a process of its own."""

    executor: str
    process: BaseProcess

    def send(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def end(self, number: int) -> int:
        """Send it a signal that ends it; gives its exit status."""
        self.send(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for its end; gives its exit status, or a signal's number below zero."""
        self.process.join(PATIENCE)
        assert self.process.exitcode is not None, f"{self.executor} has not ended"
        return self.process.exitcode


@dataclass
class Slots:
    """Slots of one engine, and what they have done.

    Attributes:
        url: the engine's address.
        folder: where builds look for the word to end, and slots write what happens.
    """

    url: str
    folder: Path

    def __post_init__(self) -> None:
        self._started: list[SlotProcess] = []

    def start(self, executor: str, *queues: str, fence: float = 30.0, url: str = "") -> SlotProcess:
        """Start one that serves these queues."""
        work = (url or self.url, str(self.folder), executor, queues, fence)
        process = _STARTING.Process(target=_serve, args=work, daemon=True)
        process.start()
        slot = SlotProcess(executor, process)
        self._started.append(slot)
        return slot

    def happened(self) -> list[tuple[str, int, str]]:
        """Everything so far: executor, task and what (``began``, ``ended``, ``killed``,
        ``stopping`` of task 0)."""
        try:
            lines = (self.folder / "log").read_text().splitlines()
        except FileNotFoundError:
            return []
        words = [line.split() for line in lines]
        return [(executor, int(task), what) for executor, task, what in words]

    def has(self, executor: str, task: int, what: str) -> bool:
        """Whether that has happened."""
        return (executor, task, what) in self.happened()

    def expect(self, executor: str, task: int, what: str) -> None:
        """Wait until it has."""
        eventually(lambda: self.has(executor, task, what), f"{executor} {task} {what}")

    def finish(self, *tasks: int) -> None:
        """Let builds end, those of the future as well."""
        for task in tasks:
            (self.folder / f"{task}.finish").touch()

    def builds(self, task: int) -> int:
        """How many builds of a task live, whoever started them."""
        marker = f"{self.folder}/{task}.finish"
        parents: dict[int, int] = {}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if marker in process.cmdline():
                    parents[process.pid] = process.ppid()
        # A shell that starts a program is two for a moment.
        return sum(parent not in parents for parent in parents.values())

    def close(self) -> None:
        """End all."""
        for slot in self._started:
            with contextlib.suppress(ProcessLookupError):
                slot.send(signal.SIGKILL)
            slot.process.join()


@contextlib.contextmanager
def running_slots(url: str, folder: Path) -> Iterator[Slots]:
    """Slots that end with the block."""
    slots = Slots(url, folder)
    try:
        yield slots
    finally:
        slots.close()


def _serve(url: str, folder: str, executor: str, queues: tuple[str, ...], fence: float) -> None:
    building = _Building(Path(folder), executor)
    slot = Slot(
        url, executor, serves=queues.__contains__, execute=building.build, kill=building.kill,
        fence=fence, poll=0.05,
    )  # fmt: skip

    def told(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, lambda number, frame: slot.give_up())
        slot.stop()
        building.tell(RunId(0), "stopping")

    signal.signal(signal.SIGTERM, told)
    slot.run()


class _Building:
    """What a worker does, small: a process that dies with its slot, and a log."""

    def __init__(self, folder: Path, executor: str) -> None:
        self._folder = folder
        self._executor = executor
        self._child: subprocess.Popen[bytes] | None = None
        self._killed = False

    def build(self, run: RunId, is_ours: Ownership) -> None:
        finish = self._folder / f"{run.task}.finish"
        waiting = 'until [ -e "$0" ]; do sleep 0.02; done'
        self._killed = False
        self._child = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "sh", "-c", waiting, str(finish)]
        )
        self.tell(run, "began")
        self._child.wait()
        self.tell(run, "killed" if self._killed else "ended")

    def kill(self) -> None:
        self._killed = True
        if self._child is not None:
            self._child.kill()

    def tell(self, run: RunId, what: str) -> None:
        with (self._folder / "log").open("a") as log:
            log.write(f"{self._executor} {run.task} {what}\n")
