"""The farm's engine alone: from enqueue to start, many at once, and what idle slots cost.

Runs on SQLite and on a PostgreSQL of its own (--only to choose). A start is when the slot's thread
begins to execute; what a worker does then (claiming over HTTP, fetching, building) is not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import psutil

from farm_postgres import running_postgres
from lapstrake.farm.engine.base import Ownership, Queued, RunId
from lapstrake.farm.engine.claims import Claims
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.engine.slot import POLL, Slot

QUEUE = "build.amd64"
OTHERS = [f"{QUEUE}.kvm", f"{QUEUE}.docker", *(f"worker.w{number}" for number in range(100))]
ELSEWHERE = "build.riscv64"


def starts(dispatch: DbosDispatch, url: str, tasks: int) -> list[float]:
    """Seconds from enqueue to start, one task after the other on an idle slot."""
    started: list[float] = []
    slot: Slot

    def execute(_run: RunId, _is_ours: Ownership) -> None:
        started.append(time.monotonic())

    slot = Slot(url, "bench", serves=QUEUE.__eq__, execute=execute, kill=lambda: None, fence=25)
    thread = threading.Thread(target=slot.run)
    thread.start()
    took = []
    for number in range(1, tasks + 1):
        time.sleep(0.3 + random.random() * POLL)
        sent = time.monotonic()
        dispatch.enqueue_all([Queued(run=RunId(number), queue=QUEUE)])
        while len(started) < number:
            time.sleep(0.005)
        took.append(started[-1] - sent)
    slot.stop()
    thread.join()
    return took


def timed(call: Callable[[], object]) -> float:
    """How long a call takes."""
    began = time.monotonic()
    call()
    return time.monotonic() - began


def idle(
    dispatch: DbosDispatch, url: str, slots: int, server: int | None
) -> tuple[float, float, float]:
    """Looks for work a second by idle slots, and processors that they and the database take."""
    for queue in OTHERS:
        dispatch.enqueue_all([Queued(run=RunId(900_000 + OTHERS.index(queue)), queue=queue)])
        dispatch.cancel(RunId(900_000 + OTHERS.index(queue)))
    looks = 0
    over = threading.Event()

    def look(number: int) -> None:
        nonlocal looks
        own = {QUEUE, f"{QUEUE}.kvm", f"worker.w{number}"}
        claims = Claims(url, f"idle{number}", own.__contains__)
        while not over.is_set():
            assert claims.take() is None
            looks += 1
            claims.wait(POLL * random.uniform(0.8, 1.2))
        claims.close()

    threads = [threading.Thread(target=look, args=(number,)) for number in range(slots)]
    for thread in threads:
        thread.start()
    time.sleep(3)
    looks, before, own, began = 0, used(server), time.process_time(), time.monotonic()
    time.sleep(8)
    seconds, own = time.monotonic() - began, time.process_time() - own
    found = looks / seconds, own / seconds, (used(server) - before) / seconds
    over.set()
    for thread in threads:
        thread.join()
    return found


def used(server: int | None) -> float:
    """Processor seconds of a database server so far; none of SQLite's, which has no server."""
    if server is None:
        return 0.0
    first = psutil.Process(server)
    total = 0.0
    for each in (first, *first.children()):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = each.cpu_times()
            total += times.user + times.system
    return total


@contextlib.contextmanager
def database(kind: str) -> Iterator[tuple[str, int | None]]:
    """An empty database's address, and its server's process."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/engine.db", None
    else:
        with running_postgres(durable=True) as server:
            pid = int((server.folder / "data/postmaster.pid").read_text().split()[0])
            yield server.new_database(), pid


def measure(url: str, server: int | None, *, tasks: int, slots: int) -> None:
    """Measure on one database, and print."""
    dispatch = DbosDispatch(url)

    def one_by_one() -> None:
        for number in range(10_000, 11_000):
            dispatch.enqueue_all([Queued(run=RunId(number), queue=ELSEWHERE)])

    many = [Queued(run=RunId(number), queue=ELSEWHERE) for number in range(20_000, 30_000)]
    took = starts(dispatch, url, tasks)
    print(f"  enqueue to start: median {statistics.median(took):.3f} s, worst {max(took):.3f} s")
    print(f"  1,000 enqueued one by one: {timed(one_by_one):.2f} s")
    print(f"  10,000 at once: {timed(lambda: dispatch.enqueue_all(many)):.2f} s")
    asked = timed(lambda: dispatch.alive([each.run for each in many]))
    print(f"  whether 10,000 are alive: {asked:.2f} s")
    looks, own, busy = idle(dispatch, url, slots, server)
    print(f"  {slots} idle slots: {looks:.0f} looks/s, which take {own:.2f} processors")
    print(f"  the database's server takes {busy:.2f} processors meanwhile")
    dispatch.close()


def main() -> None:
    """Measure on each kind of database."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--tasks", type=int, default=30)
    parser.add_argument("--slots", type=int, default=50)
    options = parser.parse_args()
    for kind in [options.only] if options.only else ["sqlite", "postgresql"]:
        with database(kind) as (url, server):
            print(kind)
            measure(url, server, tasks=options.tasks, slots=options.slots)


if __name__ == "__main__":
    main()
