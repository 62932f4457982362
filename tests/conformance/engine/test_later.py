"""New runs that the engine is told of soon, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from farm_postgres import Postgres
from farm_slots import eventually
from lapstrake.farm.engine import lookout
from lapstrake.farm.engine.base import Queued, RunId
from lapstrake.farm.engine.claims import Claims
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.engine.later import LaterDispatch
from lapstrake.farm.problems import Unavailable

QUEUE = "build.amd64"


@pytest.fixture
def later(farm_database: str) -> Iterator[LaterDispatch]:
    later = LaterDispatch(DbosDispatch(farm_database))
    yield later
    later.close()


@pytest.fixture
def claims(farm_database: str, later: LaterDispatch) -> Iterator[Claims]:
    claims = Claims(farm_database, "one", QUEUE.__eq__)
    yield claims
    claims.close()


def test_runs_come_to_slots_by_themselves_in_their_order(
    later: LaterDispatch, claims: Claims
) -> None:
    later.enqueue_all([Queued(run=RunId(1), queue=QUEUE)])
    later.enqueue_all([Queued(run=RunId(task), queue=QUEUE) for task in range(2, 9)])
    later.enqueue_all([Queued(run=RunId(9), queue=QUEUE)])
    taken: list[int] = []

    def nine_taken() -> bool:
        claim = claims.take()
        taken.extend([claim.run.task] if claim else [])
        return len(taken) == 9

    eventually(nine_taken)
    assert taken == list(range(1, 10))


def test_what_follows_a_new_run_finds_it_told(later: LaterDispatch, claims: Claims) -> None:
    first, second = RunId(1), RunId(2)
    for run in (first, second):
        later.enqueue_all([Queued(run=run, queue="build.arm64")])
    later.cancel(first)
    assert later.alive([first, second]) == {second}
    later.enqueue_all([Queued(run=RunId(3), queue="build.arm64")])
    later.move([Queued(run=RunId(3), queue=QUEUE, priority=5)])
    claim = claims.take()
    assert claim is not None
    assert claim.run == RunId(3)
    later.enqueue_all([Queued(run=RunId(4), queue=QUEUE)])
    assert later.known([RunId(4), RunId(5)]) == {RunId(4)}


def test_what_waits_at_the_end_is_told(farm_database: str) -> None:
    later = LaterDispatch(DbosDispatch(farm_database))
    runs = [RunId(task) for task in range(1, 200)]
    for run in runs:
        later.enqueue_all([Queued(run=run, queue=QUEUE)])
    later.close()
    engine = DbosDispatch(farm_database)
    assert engine.alive(runs) == set(runs)
    engine.close()


def test_what_the_engine_could_not_hear_it_hears_later(
    engine_in_postgres: str, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    url = postgres.new_database(engine_in_postgres)
    later = LaterDispatch(DbosDispatch(url))
    later.enqueue_all([Queued(run=RunId(1), queue=QUEUE)])
    assert later.alive([RunId(1)])
    _let_in(postgres, url, yes=False)
    later.enqueue_all([Queued(run=RunId(2), queue=QUEUE)])
    with pytest.raises(Unavailable):
        later.alive([RunId(2)])
    eventually(lambda: "does not hear of new runs" in caplog.text)
    _let_in(postgres, url, yes=True)
    engine = DbosDispatch(url)
    eventually(lambda: engine.alive([RunId(2)]), "the thread tells it by itself")
    engine.close()
    later.close()


def _let_in(postgres: Postgres, url: str, *, yes: bool) -> None:
    """Let clients into a database again, or throw all of them out."""
    name = url.rpartition("/")[2]
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as connection:
        connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {yes}'.encode())
        if not yes:
            gone = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
            connection.execute(gone, (name,))


def test_an_idle_slot_is_told_of_new_work(
    later: LaterDispatch, claims: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookout, "_IDLE", 3600.0)  # PostgreSQL's slots look when they are told
    later.enqueue_all([Queued(run=RunId(1), queue=QUEUE)])
    assert later.known([RunId(1)])
    for task in (1, 2):
        while (claim := claims.take()) is None:
            if task == 2:
                later.enqueue_all([Queued(run=RunId(2), queue=QUEUE)])
            claims.wait(0.01)
        assert claim.run.task == task
        claims.end(claim)
