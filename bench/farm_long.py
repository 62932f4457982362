"""A farm under load for long: is a task lost or done twice, does the server grow, does it complain?

A real server on a PostgreSQL of its own, and workers whose slots take their runs from the engine
and tell the server all that a build tells, but build nothing. Tasks come as quickly as they
are done. Ends with an error if anything was not as it should be.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import httpx2
import psutil

from farm_hand import HandWorker
from farm_postgres import running_postgres
from farm_server import FarmServer, farm_server
from lapstrake.farm.client.farm import Farm
from lapstrake.farm.engine.claims import Claims
from lapstrake.farm.engine.slot import POLL
from lapstrake.farm.values.tasks import TaskSpec

_SETTINGS = ("farm.requests=100000000",)
_BEAT_SECONDS = 3.0
_TELL_SECONDS = 60.0
_QUEUED = 100
"""Tasks that wait at most: the farm is never idle, and its queue never long."""
_AT_ONCE = 10
_PATIENCE = 120.0
_USUAL = re.compile(r"serving on |\S+ info (task|worker)\.")
"""What the server may say."""


@dataclass(kw_only=True)
class Load:
    """What is submitted, and what slots have done.

    Attributes:
        url: the engine's address.
        farm: the client that submits.
        submitted: tasks.
        taken: how often each was claimed.
        done: how many have ended.
        closed: no more is submitted.
        over: everybody stops.
    """

    url: str
    farm: Farm
    submitted: list[int] = field(default_factory=list)
    taken: Counter[int] = field(default_factory=Counter)
    done: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def submit(self) -> None:
        """Ten tasks at once and one by one, in turns, until it is closed."""
        while not self.closed.is_set():
            if len(self.submitted) - self.done >= _QUEUED:
                time.sleep(0.01)
                continue
            specs = [_spec(len(self.submitted) + more) for more in range(_AT_ONCE + 1)]
            made = (*self.farm.tasks.submit_many(specs[1:]), self.farm.tasks.submit(specs[0]))
            self.submitted += [task.id for task in made]

    def beat(self, worker: HandWorker, busy: list[int]) -> None:
        """Say that a worker lives, until all is over."""
        while not self.over.wait(_BEAT_SECONDS):
            worker.beat(tuple(busy))

    def work(self, worker: HandWorker, place: int, busy: list[int]) -> None:
        """One slot: take, claim, log, finish, end; until all is over."""
        executor = f"{worker.name}/by-hand/{place}/1"
        serves = {"build.amd64", f"worker.{worker.name}"}
        claims = Claims(self.url, executor, serves.__contains__)
        while not self.over.is_set():
            claim = claims.take()
            if claim is None:
                claims.wait(POLL, self.over.is_set)
                continue
            task = claim.run.task
            worker.claim(task, claim.run.round, executor=executor)
            busy.append(task)
            worker.write(task, f"built by {executor}\n")
            worker.finish(task)
            busy.remove(task)
            claims.end(claim)
            with self._turn:
                self.taken[task] += 1
                self.done += 1
        claims.close()


def _spec(number: int) -> TaskSpec:
    """One of fifty packages, again and again."""
    source = f"apt:long{number % 50}"
    return TaskSpec(source=source, branch="stable", publish=False, fresh=True)


def threads_of(
    load: Load, client: httpx2.Client, workers: int, slots: int
) -> list[threading.Thread]:
    """Workers that have come, and who submits; nothing has begun."""
    threads = [threading.Thread(target=load.submit, daemon=True)]
    for number in range(workers):
        worker, busy = HandWorker(client=client, name=f"w{number}", slots=slots), list[int]()
        worker.register()
        worker.beat()
        threads.append(threading.Thread(target=load.beat, args=(worker, busy), daemon=True))
        threads += [
            threading.Thread(target=load.work, args=(worker, place, busy), daemon=True)
            for place in range(slots)
        ]
    return threads


def state(server: FarmServer, load: Load, minutes: float) -> str:
    """How the server stands, in a line."""
    process = psutil.Process(server.process.pid)
    memory = process.memory_info().rss / 2**20
    return (
        f"  after {minutes:5.1f} min: {load.done:6,} done, {memory:6.1f} MiB,"
        f" {process.num_fds():3} descriptors, {process.num_threads():3} threads"
    )


def faults(server: FarmServer, load: Load) -> list[str]:
    """What is not as it should be."""
    ended = {task.id: task for task in load.farm.tasks.all()}
    lost = [task for task in load.submitted if ended[task].state != "success"]
    twice = [task for task in ended if load.taken[task] != 1 or ended[task].attempt != 1]
    strange = set(ended) ^ set(load.submitted)
    said = [line for line in server.said().splitlines() if not _USUAL.match(line)]
    return [
        *([f"{len(lost)} did not end well, such as {lost[:3]}"] if lost else []),
        *([f"{len(twice)} were not built once, such as {twice[:3]}"] if twice else []),
        *([f"{len(strange)} that nobody submitted, or that are gone"] if strange else []),
        *said,
    ]


def run(server: FarmServer, url: str, given: argparse.Namespace) -> list[str]:
    """Load the server for so long; gives what was wrong."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    with Farm(server.url) as farm, server.client(limits=limits) as client:
        load = Load(url=url, farm=farm)
        threads = threads_of(load, client, given.workers, given.slots)
        for thread in threads:
            thread.start()
        began = time.monotonic()
        while (passed := time.monotonic() - began) < given.minutes * 60:
            print(state(server, load, passed / 60), flush=True)
            time.sleep(min(_TELL_SECONDS, given.minutes * 60 - passed))
        load.closed.set()
        threads[0].join()
        last = time.monotonic() + _PATIENCE
        while load.done < len(load.submitted) and time.monotonic() < last:
            time.sleep(0.1)
        print(state(server, load, (time.monotonic() - began) / 60), flush=True)
        load.over.set()
        for thread in threads:
            thread.join()
        return faults(server, load)


def main() -> None:
    """Run, and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--slots", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_postgres(durable=True) as postgres:
        url = postgres.new_database()
        words, settings = ("--access-log", "off"), (*_SETTINGS, f"farm.worker_database={url}")
        with farm_server(Path(folder), *words, database=url, settings=settings) as server:
            wrong = run(server, url, given)
    if wrong:
        sys.exit("\n".join(wrong))
    print("  none lost, none twice, nothing in the server's log")


if __name__ == "__main__":
    main()
