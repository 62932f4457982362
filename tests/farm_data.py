"""A farm that has been used for a long time: rows for pages, lists and plots to be quick with."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import func, insert, select

from lapstrake.farm.tables.database import SCHEMA, Database
from lapstrake.farm.tables.rows import AttemptRow, EventRow, TaskRow
from lapstrake.farm.values.attempts import Peaks
from lapstrake.farm.values.tasks import OutputFile, TaskKind, TaskSpec, TaskState

NAMES = ("hello", "jq", "curl", "zlib", "openssl", "git", "bash", "coreutils", "cmake", "perl")
OWNERS = ("ada", "grace", "edsger")
WORKERS = ("oak", "elm", "larch")
_ENDS = (TaskState.SUCCESS,) * 8 + (TaskState.FAILED,) * 2 + (TaskState.CANCELLED,)
_MANY = 5_000


def fill_tasks(database: Database, count: int, *, queued: int = 0, seed: int = 5) -> None:
    """Write tasks as if the farm had built for weeks; the last ones are queued.

    Args:
        database: has the newest tables.
        count: how many in all.
        queued: how many of them wait.
        seed: the same seed gives the same farm.
    """
    chance, now = random.Random(seed), time.time()
    for start in range(0, count, _MANY):
        numbers = range(start, min(start + _MANY, count))
        rows = [_task(chance, now, place, count, queued) for place in numbers]
        with database.write() as session:
            first = (session.scalar(select(func.max(TaskRow.id))) or 0) + 1
            numbered = list(enumerate(rows, first))
            session.execute(insert(TaskRow), [row | {"id": id} for id, row in numbered])
            attempts = [_attempt(chance, id, row) for id, row in numbered if row["attempt"]]
            if attempts:
                session.execute(insert(AttemptRow), attempts)
            session.execute(insert(EventRow), list(_events(numbered)))
    if not database.is_sqlite:
        with database.write() as session:
            last = select(func.max(TaskRow.id)).scalar_subquery()
            name = func.pg_get_serial_sequence(f"{SCHEMA}.tasks", "id")
            session.execute(select(func.setval(name, last)))


def _task(chance: random.Random, now: float, place: int, count: int, queued: int) -> dict[str, Any]:
    name, waits = chance.choice(NAMES), place >= count - queued
    state = TaskState.QUEUED if waits else chance.choice(_ENDS)
    created = now - (count - place) * 30.0
    seconds = chance.lognormvariate(4.5, 0.8)
    spec = TaskSpec(name=name, source=f"apt:{name}", branch="stable", arch="amd64")
    ran = state in {TaskState.SUCCESS, TaskState.FAILED}
    return {
        "kind": TaskKind.BUNDLE.value,
        "name": name,
        "branch": "stable",
        "arch": "amd64",
        "spec": asdict(spec),
        "state": state.value,
        "reason": "no worker has taken it yet" if waits else "",
        "owner": chance.choice(OWNERS),
        "created": created,
        "changed": created if waits else created + seconds,
        "started": created + 2 if ran else 0.0,
        "finished": 0.0 if waits else created + seconds,
        "round": 1,
        "attempt": int(ran),
        "worker": chance.choice(WORKERS) if ran else "",
        "queue": "build.amd64",
        "version": "1.0-1" if ran else "",
        "exit_code": 19 if state is TaskState.FAILED else 0,
        "outputs": _outputs(name) if state is TaskState.SUCCESS else [],
    }


def _outputs(name: str) -> list[dict[str, Any]]:
    file = f"{name}_1.0-1_amd64.deb"
    digest = f"sha256:{random.Random(name).randbytes(32).hex()}"
    return [asdict(OutputFile(name=file, digest=digest, size=12_345, published=file))]


def _attempt(chance: random.Random, id: int, task: dict[str, Any]) -> dict[str, Any]:
    wall = task["finished"] - task["started"]
    peaks = Peaks(
        wall_seconds=wall,
        cpu_seconds=wall * chance.uniform(0.6, 2.0),
        memory=chance.randrange(50 << 20, 4 << 30),
        disk=chance.randrange(10 << 20, 2 << 30),
        processes=chance.randrange(2, 40),
    )
    return {
        "task": id,
        "number": 1,
        "round": 1,
        "worker": task["worker"],
        "incarnation": "x",
        "executor": f"{task['worker']}/x/0/1",
        "started": task["started"],
        "finished": task["finished"],
        "ending": task["state"],
        "error": "the step build failed" if task["state"] == TaskState.FAILED else "",
        "exit_code": task["exit_code"],
        "step": "build" if task["exit_code"] else "",
        "log_size": 4096,
        "peaks": asdict(peaks),
    }


def _events(numbered: list[tuple[int, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    for id, row in numbered:
        yield {
            "at": row["changed"],
            "kind": f"task.{row['state']}",
            "task": id,
            "worker": row["worker"],
            "text": row["reason"],
        }
