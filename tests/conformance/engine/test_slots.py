"""Slots as processes: one build at a time, killed, frozen, stopped, robbed; on each database."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_postgres import Postgres
from farm_slots import Slots, eventually, running_slots
from lapstrake.farm.engine.base import Queued, RunId
from lapstrake.farm.engine.dbos_dispatch import DbosDispatch
from lapstrake.farm.engine.fence import FENCED
from lapstrake.farm.engine.slot import Slot

AMD64, ARM64, KVM = "build.amd64", "build.arm64", "build.amd64.kvm"


@pytest.fixture
def dispatch(farm_database: str) -> Iterator[DbosDispatch]:
    dispatch = DbosDispatch(farm_database)
    yield dispatch
    dispatch.close()


@pytest.fixture
def slots(farm_database: str, dispatch: DbosDispatch, tmp_path: Path) -> Iterator[Slots]:
    with running_slots(farm_database, tmp_path) as slots:
        yield slots


def put(dispatch: DbosDispatch, task: int, queue: str = AMD64, priority: int = 0) -> None:
    dispatch.enqueue_all([Queued(run=RunId(task), queue=queue, priority=priority)])


def test_one_build_at_a_time_over_all_queues(dispatch: DbosDispatch, slots: Slots) -> None:
    slots.start("one", AMD64, KVM)
    put(dispatch, 1)
    slots.expect("one", 1, "began")
    put(dispatch, 2, KVM, priority=1)  # queues that come later are served as well
    put(dispatch, 3, KVM, priority=2)
    put(dispatch, 4, ARM64, priority=3)
    time.sleep(0.3)
    assert len(dispatch.running()) == 1
    slots.start("two", ARM64, KVM)
    slots.expect("two", 4, "began")
    slots.finish(4)
    slots.expect("two", 3, "began")
    slots.finish(1)
    slots.expect("one", 2, "began")
    slots.finish(2, 3)
    eventually(lambda: not dispatch.running())


def test_killed_and_given_back(dispatch: DbosDispatch, slots: Slots) -> None:
    victim = slots.start("one", AMD64)
    put(dispatch, 1)
    slots.expect("one", 1, "began")
    slots.start("two", AMD64, ARM64)
    assert victim.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: slots.builds(1) == 0)
    put(dispatch, 2)
    slots.expect("two", 2, "began")
    slots.finish(1, 2)
    slots.expect("two", 2, "ended")
    assert not slots.has("two", 1, "began")
    eventually(lambda: [each.executor for each in dispatch.running()] == ["one"])
    dispatch.give_back(dispatch.running())
    slots.expect("two", 1, "ended")
    eventually(lambda: not dispatch.running())


def test_a_cancelled_build_is_killed_and_the_slot_goes_on(
    dispatch: DbosDispatch, slots: Slots
) -> None:
    slots.start("one", AMD64)
    put(dispatch, 1)
    put(dispatch, 2)
    slots.expect("one", 1, "began")
    dispatch.cancel(RunId(1))
    slots.expect("one", 1, "killed")
    assert slots.builds(1) == 0
    slots.expect("one", 2, "began")


def test_a_slot_that_was_robbed_frees_itself(dispatch: DbosDispatch, slots: Slots) -> None:
    slots.start("one", AMD64)
    put(dispatch, 1)
    slots.expect("one", 1, "began")
    slots.start("two", AMD64)
    dispatch.give_back(dispatch.running())
    slots.expect("one", 1, "killed")
    eventually(lambda: slots.builds(1) == 1)
    slots.finish(1)
    eventually(lambda: not dispatch.running())
    assert [what for _executor, task, what in slots.happened()].count("ended") == 1


def test_frozen_for_long_it_kills_its_build_before_anything_else(
    dispatch: DbosDispatch, slots: Slots
) -> None:
    victim = slots.start("one", AMD64, fence=1.5)
    put(dispatch, 1)
    slots.expect("one", 1, "began")
    time.sleep(1.6)  # asked and answered, it goes on
    assert slots.builds(1) == 1
    victim.send(signal.SIGSTOP)
    time.sleep(1.6)
    victim.send(signal.SIGCONT)
    assert victim.wait() == FENCED
    assert slots.builds(1) == 0
    slots.start("two", AMD64)
    dispatch.give_back(dispatch.running())
    slots.expect("two", 1, "began")


def test_told_to_stop_it_finishes_first(dispatch: DbosDispatch, slots: Slots) -> None:
    leaving = slots.start("one", AMD64)
    put(dispatch, 1)
    slots.expect("one", 1, "began")
    leaving.send(signal.SIGTERM)
    slots.expect("one", 0, "stopping")
    put(dispatch, 2)
    assert slots.builds(1) == 1
    slots.finish(1)
    assert leaving.wait() == 0
    assert slots.has("one", 1, "ended")
    assert not dispatch.running()
    assert not slots.has("one", 2, "began")


def test_told_to_stop_while_it_takes_a_run_it_gives_that_back(
    dispatch: DbosDispatch, farm_database: str
) -> None:
    def serves(_queue: str) -> bool:
        slot.stop()
        return True

    def never(*_: object) -> None:
        raise AssertionError("it was told to stop before")

    slot = Slot(farm_database, "one", serves=serves, execute=never, kill=never, fence=30)
    put(dispatch, 1)
    slot.run()
    assert not dispatch.running()
    assert dispatch.alive([RunId(1)])


def test_told_twice_it_gives_back(dispatch: DbosDispatch, slots: Slots) -> None:
    leaving = slots.start("one", AMD64)
    put(dispatch, 1)
    slots.expect("one", 1, "began")
    leaving.send(signal.SIGTERM)
    slots.expect("one", 0, "stopping")
    leaving.send(signal.SIGTERM)
    assert leaving.wait() == FENCED
    assert slots.builds(1) == 0
    assert not dispatch.running()
    slots.start("two", AMD64)
    slots.expect("two", 1, "began")


def test_the_database_restarts_and_builds_go_on(
    postgres: Postgres, engine_in_postgres: str, tmp_path: Path
) -> None:
    url = postgres.new_database(engine_in_postgres)
    dispatch = DbosDispatch(url)
    with running_slots(url, tmp_path) as slots:
        slots.start("one", AMD64)
        slots.start("idle", ARM64)
        put(dispatch, 1)
        put(dispatch, 2)
        slots.expect("one", 1, "began")
        postgres.kill()
        time.sleep(1.2)
        slots.finish(1)  # a build that ends while nobody can be told
        slots.expect("one", 1, "ended")
        postgres.start()
        slots.expect("one", 2, "began")
        put(dispatch, 3, ARM64)
        slots.expect("idle", 3, "began")
        assert slots.happened().count(("one", 1, "began")) == 1
        postgres.restart()
        slots.finish(2, 3)
        eventually(lambda: not dispatch.running())
    dispatch.close()


def test_without_the_database_the_build_dies_in_time(
    postgres: Postgres, engine_in_postgres: str, tmp_path: Path
) -> None:
    url = postgres.new_database(engine_in_postgres)
    dispatch = DbosDispatch(url)
    with running_slots(url, tmp_path) as slots:
        cut = slots.start("one", AMD64, fence=1.5)
        put(dispatch, 1)
        slots.expect("one", 1, "began")
        postgres.stop("immediate")
        try:
            assert cut.wait() == FENCED
            assert slots.builds(1) == 0
        finally:
            postgres.start()
        assert [each.run for each in dispatch.running()] == [RunId(1)]
        dispatch.give_back(dispatch.running())
        slots.start("two", AMD64)
        slots.expect("two", 1, "began")
    dispatch.close()
