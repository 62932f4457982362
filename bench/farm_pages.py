"""How long the farm's pages take with many tasks: `./dev bench farm_pages [--database URL]`.

A real server on a database that `tests/farm_data.py` has filled; each page is asked for in turn.
What counts is the server's processor time for a page: the clock on a loaded machine says little.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from farm_data import fill_tasks
from farm_server import FarmServer, farm_server
from lapstrake.farm.tables.database import Database, address

_PAGES = (
    "/",
    "/tasks",
    "/tasks?state=failed",
    "/tasks?name=jq",
    "/tasks?owner=ada&state=ended",
    "/tasks?worker=oak&name=jq&state=success",
    "/tasks?after={half}",
    "/tasks/{half}",
    "/queue",
    "/history",
    "/history?name=jq",
    "/history?span=month",
    "/workers",
    "/groups",
    "/branches",
)
_IDLE = 0.05


def main() -> None:
    """Fill, ask, report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--database", default="", help="PostgreSQL's address; SQLite without")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work_dir = Path(folder)
        with farm_server(work_dir, database=given.database) as server, server.client() as client:
            database = Database(address(given.database, work_dir / "farm"))
            fill_tasks(database, given.tasks, queued=given.queued)
            rest(server)
            for page in _PAGES:
                ask(server, client, page.format(half=given.tasks // 2), given.rounds)


def rest(server: FarmServer) -> None:
    """Wait until the server has done what the new tasks made it do."""
    process = psutil.Process(server.process.pid)
    process.cpu_percent()
    while process.cpu_percent(1.0) > _IDLE * 100:
        time.sleep(0.5)


def ask(server: FarmServer, client: httpx2.Client, page: str, rounds: int) -> None:
    """Time a page and print a row."""
    process = psutil.Process(server.process.pid)
    client.get(page)
    taken, before = [], sum(process.cpu_times()[:2])
    for _ in range(rounds):
        begin = time.perf_counter()
        answer = client.get(page)
        taken.append(time.perf_counter() - begin)
    processor = (sum(process.cpu_times()[:2]) - before) / rounds
    print(
        f"{page:45} {answer.status_code} {len(answer.content) / 1024:7.0f} KiB"
        f"{statistics.median(taken) * 1000:8.1f} ms {processor * 1000:8.1f} ms of the processor"
    )


if __name__ == "__main__":
    main()
