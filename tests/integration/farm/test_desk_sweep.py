"""Workers that come, fall silent and go; servers that start again. On both databases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from farm_desk import HandSlot, World
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.engine.base import Executor, Queued, RunId
from lapstrake.farm.placement.base import Place
from lapstrake.farm.problems import Invalid, NotAllowed, Unavailable, WrongState
from lapstrake.farm.values.scopes import Scope
from lapstrake.farm.values.tasks import Requirements, TaskState
from lapstrake.farm.values.workers import WorkerState

S = TaskState


def pass_time(world: World, seconds: float, *alive: HandSlot) -> None:
    """Let time pass; those that are alive beat, and the desk sweeps, all the time."""
    while seconds > 0:
        world.clock.now += min(seconds, 4.0)
        seconds -= 4.0
        for worker in alive:
            worker.beat()
        world.desk.sweep()


def test_a_silent_worker_loses_its_task_to_another(world: World) -> None:
    task = world.submit("a")
    dead, alive = world.worker("dead"), world.worker("alive")
    job = dead.take()
    dead_after = world.config.farm.dead_after
    pass_time(world, dead_after - 1, alive)
    assert world.desk.task(task.id).state is S.FETCHING
    assert "silent for" in world.desk.why(task.id)[0].reason
    pass_time(world, 2, alive)
    assert world.desk.worker("dead").state is WorkerState.SILENT
    waiting = world.desk.task(task.id)
    assert (waiting.state, waiting.attempt) == (S.QUEUED, 1)
    assert "worker dead is gone" in waiting.reason

    again = alive.take()
    assert (again.task, again.attempt) == (task.id, 2)
    with pytest.raises(WrongState, match="not registered"):
        dead.beat(job)
    with pytest.raises(WrongState) as late:
        dead.finish(job)
    assert late.value.fields["lost"] is True
    assert alive.finish(again).state is S.SUCCESS
    assert world.published == [task.id]


def test_workers_are_lost_only_so_often(world: World) -> None:
    task = world.submit("a")
    keeper = world.worker("keeper", arches=("arm64",))
    for number in range(world.config.farm.attempts):
        world.worker(f"w{number}").take()
        pass_time(world, world.config.farm.dead_after + 1, keeper)
    given_up = world.desk.task(task.id)
    assert given_up.state is S.ERROR
    assert given_up.reason.startswith("3 workers were lost with it")
    assert world.worker("late").take_run() is None
    assert world.desk.retry(task.id).state is S.QUEUED
    assert world.worker("later").take().attempt == 4


def test_a_server_that_was_away_gives_workers_time(world: World) -> None:
    task = world.submit("a")
    worker = world.worker()
    job = worker.take()
    world.clock.now += 3600  # nobody could be heard
    world.restart()
    world.desk.reconcile()
    world.desk.sweep()
    assert world.desk.task(task.id).state is S.FETCHING
    worker.beat(job)
    pass_time(world, world.config.farm.dead_after - 1)
    assert worker.finish(job).state is S.SUCCESS


@pytest.mark.parametrize("leap", [3600.0, -3600.0])
def test_a_clock_that_is_set(world: World, leap: float) -> None:
    task = world.submit("a")
    worker = world.worker()
    job = worker.take()
    left = world.desk.task(task.id).deadline - world.clock.now
    world.clock.now += leap
    world.desk.sweep()
    held = world.desk.task(task.id)
    assert held.state is S.FETCHING
    assert held.deadline - world.clock.now == pytest.approx(left)
    pass_time(world, world.config.farm.dead_after + 1)
    assert world.desk.worker("w1").state is WorkerState.SILENT
    assert world.desk.task(task.id).state is S.QUEUED
    with pytest.raises(WrongState):
        worker.finish(job)


def test_a_slot_that_is_back_before_its_workers_heartbeat(world: World) -> None:
    world.worker().take_run()
    worker = world.worker()
    pass_time(world, world.config.farm.dead_after + 1)
    assert world.desk.worker("w1").state is WorkerState.SILENT
    task = world.submit("a")
    job = worker.take()
    world.desk.sweep()
    worker.beat(job)
    assert worker.finish(job).state is S.SUCCESS
    assert [each.ending for each in world.desk.attempts(task.id)] == ["success"]


def test_a_slot_that_was_started_again_has_lost_what_it_had(world: World) -> None:
    task = world.submit("a")
    worker = world.worker()
    worker.take()
    worker.beat(executor=str(Executor("w1", "one", 0, 2)))
    world.desk.sweep()
    assert world.desk.task(task.id).state is S.QUEUED


def test_goodbye_gives_back_at_once(world: World) -> None:
    task = world.submit("a")
    leaving, staying = world.worker("leaving"), world.worker("staying")
    leaving.take()
    with pytest.raises(WrongState):
        world.desk.goodbye("leaving", "other")
    world.desk.goodbye("leaving", "one")
    world.desk.sweep()
    assert world.desk.worker("leaving").state is WorkerState.GONE
    assert staying.take().task == task.id
    world.desk.forget("leaving")
    with pytest.raises(WrongState):
        world.desk.forget("staying")


def test_a_run_that_ended_without_a_result_is_tried_again(world: World) -> None:
    """A slot that could not reach the server ends its run; the task must not hang."""
    task = world.submit("a")
    worker = world.worker()
    worker.take()
    world.dispatch.cancel(RunId(task.id, 1))
    pass_time(world, 5, worker)
    assert world.desk.task(task.id).state is S.FETCHING, "it may be about to tell"
    for _ in range(3):
        pass_time(world, 10, worker)
    assert world.desk.task(task.id).state is S.QUEUED
    assert worker.take_run() == RunId(task.id, 2)


def test_a_queued_task_that_the_engine_forgot_is_queued_again(world: World) -> None:
    ended, unheard = world.submit("ended"), world.submit("unheard")
    world.dispatch.cancel(RunId(ended.id, 1))
    world.dispatch.cancel(RunId(unheard.id, 1))
    world.desk.sweep()
    worker = world.worker()
    assert [worker.take_run() for _ in range(2)] == [RunId(ended.id, 2), RunId(unheard.id, 2)]


def test_our_rows_first_then_the_engine(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is away while tasks come: none is lost, and none is given twice."""

    def away(runs: Sequence[Queued]) -> None:
        raise Unavailable("the engine's database is away")

    with monkeypatch.context() as patch:
        patch.setattr(world.dispatch, "enqueue_all", away)
        task = world.submit("a")
        assert task.state is S.QUEUED
    worker = world.worker()
    assert worker.take_run() is None
    world.restart()
    world.desk.reconcile()
    world.desk.reconcile()
    assert worker.take_run() == RunId(task.id, 1)
    assert worker.take_run() is None


def test_many_queued_tasks_and_a_restart(world: World) -> None:
    tasks = world.desk.submit_many([world.spec(f"p{n}") for n in range(50)], "alice")
    world.restart()
    calls: list[int] = []
    whole = world.dispatch.enqueue_all

    def counted(runs: list[Queued]) -> None:
        calls.append(len(runs))
        whole(runs)

    world.dispatch.enqueue_all = counted  # type: ignore[method-assign, assignment]
    world.desk.reconcile()
    assert calls == [], "the engine has them all"
    assert world.worker().take().task == tasks[0].id


def test_two_workers_of_one_name(world: World) -> None:
    first = world.worker("same")
    rival = HandSlot(world, "same", facts={}, incarnation="two")
    with pytest.raises(WrongState, match="another worker called same") as refused:
        rival.register()
    assert refused.value.fields["wait"] == world.config.farm.dead_after
    first.beat()
    world.clock.now += world.config.farm.dead_after
    rival.register()
    with pytest.raises(WrongState):
        first.beat()
    heir = HandSlot(world, "same", facts={"replaces": "two"}, incarnation="three")
    heir.register()
    with pytest.raises(Invalid):
        HandSlot(world, "../x", facts={}).register()


def test_a_name_belongs_to_the_token_that_came_first(world: World) -> None:
    tokens = Tokens(world.database, world.clock)
    tokens.add("ours", Scope.WORKER)
    tokens.add("theirs", Scope.WORKER)
    task = world.submit("a")
    first = HandSlot(world, "same", facts={"embedded": True})
    world.desk.register(first.facts, "ours")
    job = first.take()
    world.desk.check_attempt(task.id, job.attempt, "ours")
    with pytest.raises(NotAllowed, match="another token"):
        world.desk.check_attempt(task.id, job.attempt, "theirs")
    with pytest.raises(NotAllowed, match="another token"):
        world.desk.check_worker("same", "theirs")
    rival = replace(first.facts, incarnation="two", replaces="one")
    with pytest.raises(NotAllowed, match="the token ours's"):
        world.desk.register(rival, "theirs")
    world.desk.goodbye("same", "one")
    with pytest.raises(NotAllowed):
        world.desk.register(rival, "theirs")
    tokens.remove("ours")
    world.desk.register(rival, "theirs")
    world.desk.check_worker("same", "theirs")


def test_a_clock_that_is_wrong_is_seen(world: World) -> None:
    slot = HandSlot(world, "late", facts={})
    slot.facts = replace(slot.facts, clock=world.clock.now - 60)
    slot.register()
    assert world.desk.worker("late").skew == pytest.approx(-60)
    event = world.desk.events().items[-1]
    assert (event.worker, event.text) == ("late", "its clock is 60 s behind")


def test_drain_and_why(world: World) -> None:
    desk = world.desk
    task = world.submit("a")
    reasons = [wait.reason for wait in desk.why(task.id)]
    assert reasons[0] == "it needs a worker for amd64"
    worker = world.worker()
    worker.beat()
    assert desk.why(task.id)[0].reason == "w1 takes it in a moment"
    desk.drain("w1", True)
    assert desk.why(task.id)[0].reason == "worker w1 could build it, but drains"
    worker.beat()
    assert desk.worker("w1").state is WorkerState.DRAINING
    desk.drain("w1", False)
    worker.beat()
    second = world.submit("b")
    assert desk.why(second.id)[0].reason == "1 task in build.amd64 come first"
    job = worker.take()
    worker.beat(job)
    assert desk.why(second.id)[0].reason == "1 slot of w1: all are busy"
    needy = world.submit("c", requires=Requirements(capabilities=("kvm",), memory=64 << 30))
    words = [wait.reason for wait in desk.why(needy.id)]
    assert words[1] == "worker w1 cannot: it has no kvm, it has less than 64.0 GiB of memory"
    desk.lacking_room = lambda: "the disk is full"
    assert desk.why(second.id)[0].reason == "the disk is full"


def test_placement_moves_what_waits(world: World) -> None:
    desk = world.desk
    first, second = world.submit("a"), world.submit("b")
    here = Place(queue="worker.w1", priority=7, cores=3)
    assert desk.place({second.id: here}) == 1
    other, pinned = world.worker("other"), world.worker("w1")
    assert other.take().task == first.id
    assert other.take_run() is None
    job = pinned.take()
    assert (job.task, job.reserved_cores) == (second.id, 3)
    assert desk.place({second.id: here}) == 0, "it has a worker"
    third = world.submit("c")
    assert desk.place({third.id: here}) == 1
    assert desk.standings() == {third.id: here}
    pass_time(world, world.config.farm.dead_after + 1, other)
    assert {other.take().task, other.take().task} == {second.id, third.id}
