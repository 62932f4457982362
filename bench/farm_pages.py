"""How long the farm's pages and lists take with many tasks.

A real server on SQLite and on a PostgreSQL of its own (--only to choose), filled by
`tests/farm_data.py`; each page is asked for in turn. What counts on a loaded machine is the
server's processor time for a page: the clock says little.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import psutil
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from farm_data import fill_tasks
from farm_postgres import running_postgres
from farm_server import FarmServer, farm_server
from lapstrake.farm.tables.database import Database, address

_PAGES = (
    "/api/v1/tasks?limit=50",
    "/api/v1/tasks?limit=50&after={half}",
    "/api/v1/tasks?limit=50&state=failed",
    "/api/v1/tasks?limit=50&name=jq&state=success",
    "/api/v1/tasks?limit=50&owner=nobody",
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
_MANY = 5_000


def main() -> None:
    """Fill, ask, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--queued", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=20)
    given = parser.parse_args()
    for kind in [given.only] if given.only else ["sqlite", "postgresql"]:
        print(kind, flush=True)
        with contextlib.ExitStack() as stack:
            work_dir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = ""
            if kind == "postgresql":
                url = stack.enter_context(running_postgres(durable=True)).new_database()
            measure(work_dir, url, given)


def measure(work_dir: Path, url: str, given: argparse.Namespace) -> None:
    """On one database; an empty address is SQLite."""
    settings = ("farm.requests=1000000",)
    with (
        farm_server(work_dir, database=url, settings=settings) as server,
        server.client() as client,
    ):
        database = Database(address(url, work_dir / "farm"))
        fill_tasks(database, given.tasks, queued=given.queued)
        if not database.is_sqlite:
            print(f"  its statistics are fresh after {until_fresh(database):.0f} s", flush=True)
        database.close()
        rest(server)
        for page in _PAGES:
            ask(server, client, page.format(half=given.tasks // 2), given.rounds)


def until_fresh(database: Database) -> float:
    """Wait until the server has seen to the tables, as it does after such a flood; the seconds."""
    began = time.monotonic()
    changed = text("SELECT max(n_mod_since_analyze) FROM pg_stat_user_tables")
    while True:
        time.sleep(1.0)
        with database.read() as session:
            if (session.scalar(changed) or 0) < _MANY:
                return time.monotonic() - began


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
        f"  {page:45} {answer.status_code} {len(answer.content) / 1024:7.0f} KiB"
        f"{statistics.median(taken) * 1000:8.1f} ms {processor * 1000:8.1f} ms of the processor",
        flush=True,
    )


if __name__ == "__main__":
    main()
