"""1,000 tasks submitted over HTTP, and a server that is started again with 10,000 queued.

A real server and our own client with one connection: all in one request, then one by one. Then the
server is killed with 10,000 tasks queued and started again with a builder: as it was, and (SQLite
only) with an engine that has lost everything. Runs on SQLite and on a PostgreSQL of its own (--only
to choose).
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import httpx2
import psutil

from farm_postgres import running_postgres
from farm_server import FarmServer, farm_server
from lapstrake.farm.client.farm import Farm
from lapstrake.farm.values.tasks import TaskSpec

_SETTINGS = ("farm.requests=1000000",)
_LOOK = 0.02
_PATIENCE = 120.0


def specs(count: int, name: str) -> list[TaskSpec]:
    """Tasks that differ."""
    return [
        TaskSpec(name=f"{name}{n}", source=f"apt:{name}{n}", branch="stable") for n in range(count)
    ]


def timed(server: FarmServer, what: str, call: Callable[[], object]) -> None:
    """Print how long it took, and the server's processor time."""
    process = psutil.Process(server.process.pid)
    began, before = time.monotonic(), sum(process.cpu_times()[:2])
    call()
    seconds, used = time.monotonic() - began, sum(process.cpu_times()[:2]) - before
    print(f"  {what:44}{seconds:7.2f} s, server's processor {used:.2f} s", flush=True)


def submits(server: FarmServer, farm: Farm, count: int) -> None:
    """In one request, and one by one."""
    tasks = farm.tasks
    tasks.submit(specs(1, "first")[0])
    timed(
        server, f"{count:,} tasks in one request", lambda: tasks.submit_many(specs(count, "many"))
    )
    single = specs(count, "single")
    timed(server, f"{count:,} tasks one by one", lambda: [tasks.submit(spec) for spec in single])


def restart(work_dir: Path, database: str, what: str) -> None:
    """Start a server again, with a builder; print when it is ready, and when a task starts."""
    began, since = time.monotonic(), time.time()
    with farm_server(work_dir, slots=1, database=database, settings=_SETTINGS) as server:
        with server.client() as client:
            while not client.get("/ready").is_success:
                time.sleep(_LOOK)
            ready = time.monotonic() - began
            while not any(task["changed"] > since for task in taken(client)):
                if time.monotonic() > began + _PATIENCE:
                    sys.exit(f"no task has started: {server.said()}")
                time.sleep(_LOOK)
        first = time.monotonic() - began
        print(f"  {what:44}ready after {ready:.2f} s, first task {first:.2f} s", flush=True)
        server.kill()


def taken(client: httpx2.Client) -> list[dict[str, Any]]:
    """The tasks that a worker has taken, and whose sources it fetches."""
    items: list[dict[str, Any]] = client.get("/task", params={"state": "fetching"}).json()["items"]
    return items


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """An empty database's address; SQLite needs none."""
    if kind == "sqlite":
        yield ""
    else:
        with running_postgres(durable=True) as server:
            yield server.new_database()


def measure(kind: str, *, count: int, queued: int) -> None:
    """Measure on one kind of database."""
    print(kind, flush=True)
    with tempfile.TemporaryDirectory() as folder, database(kind) as url:
        work_dir = Path(folder)
        with farm_server(work_dir, database=url, settings=_SETTINGS) as server:
            with Farm(server.url) as farm:
                submits(server, farm, count)
                more = specs(queued - 2 * count, "more")
                timed(server, f"{len(more):,} more, 1,000 at a time",
                      lambda: farm.tasks.submit_many(more))  # fmt: skip
            server.kill()
        restart(work_dir, url, f"killed with {queued:,} queued, started again:")
        if kind == "sqlite":
            for file in (work_dir / "farm").glob("engine.db*"):
                file.unlink()
            restart(work_dir, url, "the same, and the engine knows none:")


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--tasks", type=int, default=1_000)
    parser.add_argument("--queued", type=int, default=10_000)
    options = parser.parse_args()
    for kind in [options.only] if options.only else ["sqlite", "postgresql"]:
        measure(kind, count=options.tasks, queued=options.queued)


if __name__ == "__main__":
    main()
