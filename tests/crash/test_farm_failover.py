"""The database's machine dies while the farm builds; its standby becomes the primary."""

from __future__ import annotations

from pathlib import Path

import psycopg

from farm_postgres import Postgres, running_postgres
from farm_server import farm_server
from farm_worker import farm_worker, pack, submit, until, wait_for
from lapstrake.farm.operations.roles import make_worker_role
from shop import Shop


def test_the_farm_goes_on_with_the_standby(work_dir: Path) -> None:
    lines = "for n in $(seq 40); do echo line $n; sleep 0.1; done"
    steady = pack(Shop(work_dir=work_dir).bundle("steady", steps={"build": lines}))
    after = pack(Shop(work_dir=work_dir).bundle("after"))
    with running_postgres() as primary, running_postgres(primary=primary) as standby:
        _wait_for_standby(primary)
        url = _of_both(primary.new_database(), primary, standby)
        settings = (f"farm.worker_database={make_worker_role(url, 'w')}", "farm.heartbeat=0.5s")
        with (
            farm_server(work_dir, database=url, settings=settings) as server,
            farm_worker(server.url, work_dir, "--embedded") as worker,
            server.client() as client,
        ):
            task = submit(client, steady)
            wait_for(client, task, "building")
            primary.kill()
            assert client.get("/task").status_code == 503
            standby.promote()
            until(lambda: client.get("/task").status_code == 200)
            status = wait_for(client, task)
            assert (status["state"], status["attempt"]) == ("success", 1), worker.said()
            assert wait_for(client, submit(client, after))["state"] == "success"
            assert "Traceback" not in server.said() + worker.said()


def _of_both(url: str, primary: Postgres, standby: Postgres) -> str:
    """A database's address as libpq takes it, whichever of the two has it."""
    hosts = f"{standby.address}:{standby.port},{primary.address}:{primary.port}"
    return url.replace(f"{primary.address}:{primary.port}", hosts)


def _wait_for_standby(primary: Postgres) -> None:
    """Whatever is committed is on the standby, too, from now on."""
    with psycopg.connect(primary.url("postgres"), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        connection.execute("SELECT pg_reload_conf()")
