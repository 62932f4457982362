"""The workers' role: enough for a slot, and nothing else."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from farm_postgres import OWNER, PASSWORD, Postgres
from lapstrake.errors import ConfigError, FarmError
from lapstrake.farm.engine.base import Queued, RunId
from lapstrake.farm.engine.claims import Claims
from lapstrake.farm.engine.database import SCHEMA as ENGINE
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.operations.roles import make_worker_role
from lapstrake.farm.problems import Unavailable
from lapstrake.farm.tables.database import SCHEMA, Database, address
from lapstrake.farm.tables.migrate import upgrade
from roots import run_cli

QUEUE = "build.amd64"


def test_a_slot_works_with_it(postgres: Postgres) -> None:
    url = postgres.new_database()
    role = make_worker_role(url, "slots")
    dispatch = DbosDispatch(url)
    claims = Claims(role, "one", QUEUE.__eq__)
    for task in (1, 2):
        dispatch.enqueue_all([Queued(run=RunId(task), queue=QUEUE)])
    claim = claims.take()
    assert claim
    assert claims.is_ours(claim)
    assert claims.end(claim)
    assert claims.take()
    claims.give_back()
    assert dispatch.running() == []
    claims.close()
    dispatch.close()


@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT * FROM {SCHEMA}.task",
        f"DELETE FROM {SCHEMA}.task",
        f"CREATE TABLE {SCHEMA}.mine (x int)",
        f"CREATE TABLE {ENGINE}.mine (x int)",
        "CREATE TABLE public.mine (x int)",
        "CREATE ROLE friend",
        f"INSERT INTO {ENGINE}.queues (queue_id, name) VALUES ('q', 'q')",
        f"INSERT INTO {ENGINE}.workflow_status (workflow_uuid) VALUES ('task-9-1')",
        f"DELETE FROM {ENGINE}.workflow_status",
        f"SELECT * FROM {ENGINE}.workflow_input",
        f"DROP TABLE {ENGINE}.workflow_status",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_it_may_do_nothing_else(statement: str, forbidden: str) -> None:
    with (
        psycopg.connect(forbidden) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())


@pytest.fixture(scope="module")
def forbidden(postgres: Postgres) -> str:
    """The role's address of a database that has all tables."""
    url = postgres.new_database()
    database = Database(address(url, Path()))
    upgrade(database)
    database.close()
    return make_worker_role(url, "forbidden")


def test_made_again_it_has_a_new_password(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    first = make_worker_role(url, "again")
    made = run_cli("farm", "database-role", "again", work_dir=tmp_path, LAPSTRAKE_FARM_DATABASE=url)
    assert made.ok, made.stderr
    second = made.stdout.strip()
    assert second.startswith("postgresql://again:")
    assert PASSWORD not in second + made.stderr
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(first)
    psycopg.connect(second).close()


def test_no_role_of_sqlite(tmp_path: Path) -> None:
    refused = run_cli("farm", "database-role", work_dir=tmp_path)
    assert refused.status == ConfigError.exit_code
    assert "SQLite has no roles" in refused.stderr


@pytest.mark.parametrize("name", ["", "A", "a-b", 'a"; DROP TABLE x', "a" * 64, OWNER])
def test_names_that_are_none(postgres: Postgres, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the workers' role"):
        make_worker_role(postgres.url("postgres"), name)


def test_a_user_who_may_not_make_roles(postgres: Postgres) -> None:
    url = postgres.new_database()
    role = make_worker_role(url, "modest")
    with pytest.raises((FarmError, Unavailable)) as refused:
        make_worker_role(role, "friend")
    assert "permission denied" in refused.value.brief
    with psycopg.connect(url) as connection:
        connection.execute("CREATE ROLE mighty SUPERUSER")
    with pytest.raises(FarmError, match="may do everything"):
        make_worker_role(url, "mighty")
