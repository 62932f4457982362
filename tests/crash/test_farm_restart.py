"""A server that is killed while ten thousand tasks wait."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

from farm_data import fill_tasks
from farm_server import farm_server
from farm_worker import engine_setting, until
from lapstrake.farm.engine.base import RunId
from lapstrake.farm.engine.claims import Claims
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.tables.database import Database, address
from lapstrake.farm.tables.migrate import upgrade
from roots import cli_command, cli_environment

_MANY = 10_000


def test_ten_thousand_tasks_wait_and_the_server_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "farm"
    folder.mkdir()
    database = Database(address("", folder))
    upgrade(database)
    fill_tasks(database, _MANY, queued=_MANY)
    database.close()
    engine = folder / "engine.db"
    _killed_while_it_tells_the_engine(tmp_path, engine)
    for _ in range(2):
        with farm_server(tmp_path, settings=(engine_setting(tmp_path),)) as server:
            with server.client() as client:
                assert client.get("/builder/status").json()["queued"] == _MANY
                page = client.get("/task", params={"state": "queued", "limit": 1}).json()
                assert len(page["items"]) == 1
            server.kill()
    runs = [RunId(task) for task in range(1, _MANY + 1)]
    url = f"sqlite:///{engine}"
    dispatch = DbosDispatch(url)
    assert dispatch.alive(runs) == set(runs)
    assert dispatch.running() == []
    claims = Claims(url, "w/1/1/1", "build.amd64".__eq__)
    taken = [claims.take() for _ in range(3)]
    assert [claim.run for claim in taken if claim] == runs[:3], "the oldest first"
    claims.close()
    dispatch.close()


def _killed_while_it_tells_the_engine(work_dir: Path, engine: Path) -> None:
    """Start a server, and kill it as soon as the engine knows of something."""

    def knows() -> bool:
        with (
            contextlib.suppress(sqlite3.OperationalError),
            contextlib.closing(sqlite3.connect(f"file:{engine}?mode=ro", uri=True)) as reader,
        ):
            return bool(
                reader.execute("SELECT EXISTS (SELECT 1 FROM workflow_status)").fetchone()[0]
            )
        return False

    process = subprocess.Popen(
        cli_command("serve", "--listen", "127.0.0.1:0", "--slots", "0"),
        env=cli_environment(work_dir),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        until(knows, 60)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
