"""What the server asks of the engine, on each kind of database."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from farm_postgres import PASSWORD, Postgres
from lapstrake.errors import ConfigError
from lapstrake.farm.engine.base import Executor, Queued, RunId, Running
from lapstrake.farm.engine.claims import Claim, Claims
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.problems import Unavailable

AMD64, ARM64 = "build.amd64", "build.arm64"


@pytest.fixture
def dispatch(farm_database: str) -> Iterator[DbosDispatch]:
    dispatch = DbosDispatch(farm_database)
    yield dispatch
    dispatch.close()


@pytest.fixture
def claims(farm_database: str, dispatch: DbosDispatch) -> Iterator[Claims]:
    """A slot's side, serving one queue."""
    claims = Claims(farm_database, "one", AMD64.__eq__)
    yield claims
    claims.close()


@pytest.fixture
def rival(farm_database: str, dispatch: DbosDispatch) -> Iterator[Claims]:
    """Another slot's, serving both."""
    claims = Claims(farm_database, "two", (AMD64, ARM64).__contains__)
    yield claims
    claims.close()


def take(claims: Claims) -> Claim:
    claim = claims.take()
    assert claim is not None
    return claim


def test_the_most_urgent_comes_first_whatever_its_queue(
    dispatch: DbosDispatch, rival: Claims
) -> None:
    wanted = [
        (1, AMD64, -100_000),
        (2, ARM64, 0),
        (3, AMD64, 100_999),
        (4, ARM64, 99),
        (5, AMD64, 0),
    ]
    for task, queue, priority in wanted:
        dispatch.enqueue_all([Queued(run=RunId(task), queue=queue, priority=priority)])
        time.sleep(0.002)  # the engine's clock has milliseconds
    assert [take(rival).run.task for _ in wanted] == [3, 4, 2, 5, 1]
    assert rival.take() is None


def test_the_oldest_of_equals_comes_first(dispatch: DbosDispatch, claims: Claims) -> None:
    dispatch.enqueue_all([Queued(run=RunId(task), queue=AMD64) for task in range(1, 30)])
    assert [take(claims).run.task for _ in range(1, 30)] == list(range(1, 30))


def test_a_queue_that_nobody_serves_waits(
    dispatch: DbosDispatch, claims: Claims, rival: Claims
) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=ARM64)])
    assert claims.take() is None
    assert take(rival).run == RunId(1)


def test_enqueue_again_changes_nothing(dispatch: DbosDispatch, claims: Claims) -> None:
    for _ in range(2):
        dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
        dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    claim = take(claims)
    assert claims.take() is None
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    assert claims.is_ours(claim)
    assert claims.end(claim)
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    assert claims.take() is None
    dispatch.enqueue_all([Queued(run=RunId(1, 2), queue=AMD64)])
    assert take(claims).run == RunId(1, 2)


def test_many_at_once_are_what_one_is(dispatch: DbosDispatch) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64, priority=7)])
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64, priority=7)])
    rows, inputs = dispatch._rows.tables.workflow_status, dispatch._rows.tables.workflow_input
    with dispatch._rows.engine.connect() as connection:
        one, other = connection.execute(sa.select(rows).order_by(rows.c.workflow_uuid)).mappings()
        given = connection.execute(sa.select(inputs.c.inputs)).scalars().all()
    own = {"workflow_uuid", "created_at", "updated_at", "creator_xid"}
    assert [name for name in one if one[name] != other[name] and name not in own] == []
    assert min(other["created_at"], other["updated_at"]) > 0
    assert given == [given[0]] * 2


def test_who_has_what(dispatch: DbosDispatch, claims: Claims) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
    assert dispatch.running() == []
    claim = take(claims)
    assert dispatch.running() == [Running(run=claim.run, queue=AMD64, executor="one")]
    claims.end(claim)
    assert dispatch.running() == []
    assert dispatch.known([RunId(1), RunId(2), RunId(3)]) == {RunId(1), RunId(2)}
    assert dispatch.alive([RunId(1), RunId(2), RunId(3)]) == {RunId(2)}


def test_what_was_given_back_is_taken_by_others_from_its_queue(
    dispatch: DbosDispatch, claims: Claims, rival: Claims
) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    lost = take(claims)
    given = dispatch.running()
    dispatch.give_back(given)
    assert not claims.is_ours(lost)
    again = take(rival)
    assert again.run == lost.run
    assert [each.queue for each in dispatch.running()] == [AMD64]
    dispatch.give_back(given)  # as seen before: it must not touch what the other has by now
    assert rival.is_ours(again)
    assert not claims.end(lost)
    assert rival.is_ours(again)
    assert rival.end(again)


def test_the_same_slot_may_take_again_what_it_lost(dispatch: DbosDispatch, claims: Claims) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    lost = take(claims)
    claims.give_back()
    again = take(claims)
    assert claims.is_ours(again)
    assert not claims.is_ours(lost)
    assert not claims.end(lost)


def test_cancelled_stays_cancelled(dispatch: DbosDispatch, claims: Claims) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    dispatch.cancel(RunId(1))
    assert claims.take() is None
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
    claim = take(claims)
    seen = dispatch.running()
    dispatch.cancel(RunId(2))
    assert not claims.is_ours(claim)
    dispatch.give_back(seen)
    claims.give_back()
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
    dispatch.move([Queued(run=RunId(2), queue=AMD64, priority=5)])
    assert claims.take() is None
    assert not claims.end(claim)
    dispatch.cancel(RunId(99))


def test_what_ended_is_not_given_back(dispatch: DbosDispatch, claims: Claims) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    claim = take(claims)
    seen = dispatch.running()
    assert claims.end(claim)
    dispatch.give_back(seen)
    dispatch.cancel(RunId(1))
    assert claims.take() is None
    assert dispatch.known([RunId(1)]) == {RunId(1)}


def test_what_waits_can_be_moved(dispatch: DbosDispatch, claims: Claims) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=ARM64)])
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
    dispatch.move([Queued(run=RunId(1), queue=AMD64, priority=1)])
    first = take(claims)
    assert first.run == RunId(1)
    dispatch.move([Queued(run=RunId(1), queue=ARM64, priority=0)])  # too late: it is taken
    assert claims.is_ours(first)
    assert [each.queue for each in dispatch.running()] == [AMD64]


def test_two_slots_never_take_the_same(dispatch: DbosDispatch, farm_database: str) -> None:
    dispatch.enqueue_all([Queued(run=RunId(task), queue=AMD64) for task in range(60)])
    taken: list[int] = []

    def work(name: str) -> None:
        claims = Claims(farm_database, name, AMD64.__eq__)
        while claim := claims.take():
            taken.append(claim.run.task)
            assert claims.end(claim)
        claims.close()

    slots = [threading.Thread(target=work, args=(str(number),)) for number in range(4)]
    for slot in slots:
        slot.start()
    for slot in slots:
        slot.join()
    assert sorted(taken) == list(range(60))


def test_old_runs_are_forgotten(dispatch: DbosDispatch, claims: Claims) -> None:
    for task in (1, 2, 3):
        dispatch.enqueue_all([Queued(run=RunId(task), queue=AMD64)])
    claims.end(take(claims))
    dispatch.cancel(RunId(2))
    assert dispatch.prune(time.time() - 3600) == 0
    assert dispatch.prune(time.time() + 3600) == 2
    assert dispatch.known([RunId(1), RunId(2), RunId(3)]) == {RunId(3)}


def test_another_server_finds_everything(
    dispatch: DbosDispatch, farm_database: str, claims: Claims
) -> None:
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
    claim = take(claims)
    dispatch.close()
    second = DbosDispatch(farm_database)
    assert [each.run for each in second.running()] == [claim.run]
    assert second.known([RunId(2)])
    assert claims.end(claim)
    assert take(claims).run == RunId(2)
    second.close()


def test_names_can_be_read_again() -> None:
    executor = Executor("kiln", "f00d", 3, 12)
    assert Executor.parse(str(executor)) == executor
    assert RunId.parse(str(RunId(7, 2))) == RunId(7, 2)
    for wrong in ("", "task-1", "task-1-2-3", "a/b/c/d", "a/b/1", "local"):
        assert Executor.parse(wrong) is None
        assert RunId.parse(wrong) is None


def test_a_database_that_is_away_is_named_without_its_password(
    postgres: Postgres, engine_in_postgres: str
) -> None:
    url = postgres.new_database(engine_in_postgres)
    dispatch = DbosDispatch(url)
    claims = Claims(url, "one", AMD64.__eq__)
    dispatch.enqueue_all([Queued(run=RunId(1), queue=AMD64)])
    claim = take(claims)
    postgres.kill()
    try:
        with pytest.raises(Unavailable, match="does not answer") as away:
            dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
        assert PASSWORD not in str(away.value)
        for call in (dispatch.running, claims.take, lambda: claims.end(claim)):
            with pytest.raises(Unavailable):
                call()
    finally:
        postgres.start()
    assert claims.is_ours(claim)
    dispatch.enqueue_all([Queued(run=RunId(2), queue=AMD64)])
    assert claims.end(claim)
    claims.close()
    dispatch.close()


@pytest.mark.parametrize("url", ["", "nonsense", "mysql://u:hidden@h/d", "postgresql:/x"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        DbosDispatch(url)
    assert "hidden" not in str(wrong.value)


def test_a_wrong_password_and_a_missing_database(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database()
    for wrong in (url.replace(PASSWORD, "wrong"), url + "_missing"):
        with pytest.raises(Unavailable, match="does not answer") as away:
            DbosDispatch(wrong)
        assert "wrong@" not in str(away.value)
    with pytest.raises(Unavailable, match="unable to open"):
        DbosDispatch(f"sqlite:///{tmp_path}/missing/farm.db")
