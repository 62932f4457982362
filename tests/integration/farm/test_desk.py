"""The desk, on both databases: tasks, attempts, results, joins, and what races do to them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from farm_desk import HandSlot, World
from lapstrake.errors import PublishError
from lapstrake.farm.engine.base import RunId
from lapstrake.farm.problems import Invalid, NoRoom, Problem, TooLarge, Unknown, WrongState
from lapstrake.farm.values.attempts import ResourceSample, Result
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.tasks import OutputFile, Requirements, TaskFilter, TaskSpec, TaskState

S = TaskState


def test_the_seven_calls_of_the_seed(world: World) -> None:
    desk, heard = world.desk, list[Event]()
    stop = desk.subscribe(heard.append)
    task = desk.new_task("alice", name="hello", priority=5)
    with pytest.raises(WrongState, match="lacks a bundle and a branch") as lacking:
        desk.start(task.id)
    assert lacking.value.fields["lacks"] == ("a bundle", "a branch")
    desk.set_bundle(task.id, digest=world.content("hello"))
    with pytest.raises(Invalid, match="nowhere") as strange:
        desk.set_branch(task.id, "nowhere")
    assert strange.value.fields["branches"] == ["stable", "testing"]
    with pytest.raises(Invalid, match="not a branch name"):
        desk.set_branch(task.id, "")
    with pytest.raises(Invalid, match="pdp11") as machine:
        desk.new_task("alice", arch="pdp11")
    assert "amd64" in machine.value.resolution
    desk.set_branch(task.id, "stable")
    started = desk.start(task.id, network=True)
    assert (started.state, started.holder, started.spec.network) == (S.QUEUED, "engine", True)
    with pytest.raises(WrongState, match="started already"):
        desk.set_branch(task.id, "testing")

    worker = world.worker()
    job = worker.take()
    assert (job.task, job.attempt, job.bundle_size) == (task.id, 1, len("hello"))
    assert desk.task(task.id).holder == "worker w1"
    desk.set_state(task.id, 1, S.BUILDING)
    done = worker.finish(job)
    assert (done.state, done.version, world.published) == (S.SUCCESS, "1.0", [task.id])
    assert [output.published for output in done.outputs] == [f"p{task.id}.deb"]
    states = [event.kind for event in desk.events(task=task.id).items]
    assert states == [
        f"task.{state}"
        for state in ("new", "queued", "fetching", "building", "publishing", "success")
    ]
    assert [event.kind for event in heard if event.task == task.id] == states
    stop()


def test_all_that_cannot_be_asked_for(world: World) -> None:
    desk = world.desk
    wrong: list[tuple[type[Problem], Callable[[], object]]] = [
        (Unknown, lambda: desk.task(7)),
        (Unknown, lambda: desk.cancel(0)),
        (Unknown, lambda: desk.retry(1 << 70)),
        (Invalid, lambda: desk.new_task("alice", priority=101)),
        (Invalid, lambda: desk.new_task("alice", arch="../amd64")),
        (Invalid, lambda: desk.new_task("alice", name="a\nb")),
        (Invalid, lambda: desk.submit(TaskSpec(branch="stable"), "alice")),
        (Invalid, lambda: world.submit("a", bundle="sha256:" + "0" * 64)),
        (Invalid, lambda: world.submit("a", bundle="md5:abc")),
        (Invalid, lambda: world.submit("a", bundle="", source="/etc")),
        (Invalid, lambda: world.submit("a", bundle="", source="apt:../x")),
        (Invalid, lambda: world.submit("a", branch="../stable")),
        (Invalid, lambda: world.submit("a", build_kind="most")),
        (Invalid, lambda: world.submit("a", seconds=-1)),
        (Invalid, lambda: world.submit("a", requires=Requirements(capabilities=("a.b",)))),
        (Invalid, lambda: world.submit("a", requires=Requirements(worker="../x"))),
        (Invalid, lambda: desk.tasks(after="x")),
        (Invalid, lambda: desk.tasks(limit=0)),
        (Invalid, lambda: desk.tasks(limit=201)),
        (Invalid, lambda: desk.history(after="1")),
        (Invalid, lambda: desk.submit_many([world.spec("a")] * 1001, "alice")),
    ]
    for problem, call in wrong:
        with pytest.raises(problem) as refused:
            call()
        assert type(refused.value) is problem
    with pytest.raises(Invalid, match=r"task 2 of 2 \(b\): no tree"):
        desk.submit_many([world.spec("a"), world.spec("b", bundle="", source="zz")], "alice")
    assert desk.tasks().items == (), "a request is granted as a whole or not at all"


def test_a_repeated_request_makes_nothing_new(world: World) -> None:
    desk = world.desk
    first = desk.submit(world.spec("a"), "alice", key="k1")
    assert desk.submit(world.spec("a"), "alice", key="k1") == first
    assert desk.submit(world.spec("b"), "bob", key="k1").id != first.id, "keys are the owner's"
    with pytest.raises(Invalid, match="another request"):
        desk.submit(world.spec("b"), "alice", key="k1")
    many = desk.submit_many([world.spec("c"), world.spec("d")], "alice", key="k2")
    assert desk.submit_many([world.spec("c"), world.spec("d")], "alice", key="k2") == many
    world.clock.now += 86401
    desk.prune()
    assert desk.submit(world.spec("e"), "alice", key="k1").id != first.id


def test_priority_and_requirements_route(world: World) -> None:
    low = world.submit("low")
    high = world.desk.submit(world.spec("high"), "alice", priority=50)
    other = world.submit("other", arch="arm64")
    needy = world.submit(
        "needy", requires=Requirements(capabilities=("kvm",), memory=4 << 30, cores=2)
    )
    big = world.worker("big", capabilities=("kvm", "docker"))
    small = world.worker("small", capabilities=("kvm",), memory=2 << 30)
    assert small.take().task == high.id
    assert small.take().task == low.id
    assert small.take_run() is None, "it has too little memory, and does not run arm64"
    assert big.take().task == needy.id
    assert world.worker("arm", arches=("arm64",)).take().task == other.id


def test_the_first_becomes_the_last_by_a_word(world: World) -> None:
    first, second = world.submit("first"), world.submit("second")
    world.desk.set_priority(second.id, 10)
    worker = world.worker()
    assert [worker.take().task for _ in range(2)] == [second.id, first.id]
    with pytest.raises(Invalid):
        world.desk.set_priority(first.id, -101)


def test_equal_requests_share_one_build(world: World) -> None:
    desk = world.desk
    leader, follower = world.submit("same"), world.submit("same")
    assert (follower.state, follower.same_as, follower.holder) == (
        S.WAITING,
        leader.id,
        f"task {leader.id}",
    )
    assert world.submit("same", branch="testing").state is S.QUEUED
    worker = world.worker()
    assert worker.build().id == leader.id
    shared = desk.task(follower.id)
    assert (shared.state, shared.outputs) == (S.SUCCESS, desk.task(leader.id).outputs)
    again = world.submit("same")
    assert (again.state, again.same_as) == (S.SUCCESS, leader.id)
    fresh = world.submit("same", fresh=True)
    assert fresh.state is S.QUEUED
    assert world.submit("same").same_as == fresh.id, "what is newer wins"
    world.desk.cancel(fresh.id)
    world.contents.path(again.outputs[0].digest).unlink()
    assert world.submit("same").state is not S.SUCCESS, "what it made is not kept any more"


def test_followers_take_over_from_one_that_is_cancelled_and_fail_with_one_that_fails(
    world: World,
) -> None:
    desk = world.desk
    first, second, third = (world.submit("same") for _ in range(3))
    desk.cancel(first.id)
    assert desk.task(second.id).state is S.QUEUED
    assert desk.task(third.id).same_as == second.id
    worker = world.worker()
    worker.finish(worker.take(), ok=False, error="no compiler")
    failed = desk.task(third.id)
    assert (failed.state, failed.exit_code) == (S.FAILED, 14)
    assert "no compiler" in failed.reason


def test_with_other_limits_or_machines_a_failure_is_not_shared(world: World) -> None:
    desk = world.desk
    first = world.submit("same", seconds=5.0)
    alike, longer = world.submit("same", seconds=5.0), world.submit("same", seconds=50.0)
    assert longer.same_as == first.id
    worker = world.worker()
    worker.finish(worker.take(), ok=False, error="out of time")
    assert desk.task(alike.id).state is S.FAILED
    assert desk.task(longer.id).state is S.QUEUED
    assert worker.build().id == longer.id


def test_unpinned_requests_are_never_reused(world: World) -> None:
    source = {"bundle": "", "source": "apt:hello"}
    first, second = world.submit("x", **source), world.submit("x", **source)
    assert second.same_as == first.id, "nobody has looked which version is the newest yet"
    worker = world.worker()
    job = worker.take()
    assert world.submit("x", **source).state is S.QUEUED
    worker.finish(job)
    assert world.submit("x", **source).same_as != first.id


def test_cancel_at_each_moment(world: World) -> None:
    desk, worker = world.desk, world.worker()
    for moment in (S.QUEUED, S.FETCHING, S.BUILDING):
        task = world.submit(f"at {moment}")
        job = worker.take() if moment is not S.QUEUED else None
        if job and moment is S.BUILDING:
            desk.set_state(task.id, 1, S.BUILDING)
        gone = desk.cancel(task.id, reason="not needed", by="bob")
        assert (gone.state, gone.reason) == (S.CANCELLED, "by bob not needed")
        if job:
            assert worker.beat(job) == (task.id,)
            for late in (
                lambda job=job: worker.finish(job),
                lambda job=job: desk.append_log(job.task, 1, 0, b"late"),
                lambda job=job: desk.add_samples(job.task, 1, ()),
                lambda job=job: desk.set_state(job.task, 1, S.BUILDING),
            ):
                with pytest.raises(WrongState) as lost:
                    late()
                assert lost.value.fields["lost"] is True
        with pytest.raises(WrongState):
            desk.cancel(task.id)
    assert worker.take_run() is None
    assert world.published == []


def test_results_come_once(world: World) -> None:
    desk, worker = world.desk, world.worker()
    world.submit("a")
    job = worker.take()
    lost = OutputFile(name="a.deb", digest="sha256:" + "1" * 64, size=3)
    with pytest.raises(Invalid, match="the server lacks"):
        desk.finish(job.task, job.attempt, Result(ok=True, outputs=(lost,)))
    odd = OutputFile(name="../a.deb", digest=world.content("x"), size=1)
    with pytest.raises(Invalid, match="no file's name"):
        desk.finish(job.task, job.attempt, Result(ok=True, outputs=(odd,)))
    assert desk.task(job.task).state is S.FETCHING
    done = worker.finish(job)
    assert worker.finish(job) == done, "told again, since the answer was lost"
    assert world.published == [job.task]
    with pytest.raises(Unknown):
        desk.finish(job.task, 2, Result(ok=True))


def test_a_claim_may_be_repeated_and_belongs_to_one(world: World) -> None:
    task = world.submit("a")
    one, two = world.worker("one"), world.worker("two")
    run = one.take_run()
    assert run == RunId(task.id, 1)
    assert one.claim(run) == one.claim(run)
    with pytest.raises(WrongState, match="another slot"):
        two.claim(run)
    give_on(world, two)
    taken = two.claim(run)
    assert taken.attempt == 2
    assert [trial.ending for trial in world.desk.attempts(task.id)] == ["lost", ""]
    with pytest.raises(WrongState):
        one.finish(replace(taken, attempt=1))
    with pytest.raises(WrongState, match="round 2"):
        one.claim(RunId(task.id, 2))
    one.incarnation = "other"
    with pytest.raises(WrongState, match="not the one"):
        one.claim(run)


def test_a_claim_that_takes_over_once_too_often(world: World) -> None:
    world.config = replace(world.config, farm=replace(world.config.farm, attempts=1))
    world.restart()
    task = world.submit("a")
    one, two = world.worker("one"), world.worker("two")
    run = one.take_run()
    assert run is not None
    one.claim(run)
    give_on(world, two)
    with pytest.raises(WrongState, match="a worker was lost"):
        two.claim(run)
    assert world.desk.task(task.id).state is S.ERROR


@pytest.mark.parametrize("times", range(3))
def test_cancel_against_finish(world: World, times: int) -> None:
    """Whoever is first wins, and nothing is half done."""
    worker = world.worker()
    task = world.submit("a")
    job = worker.take()
    barrier, ended = threading.Barrier(2), list[str]()

    def run(what: Callable[[], object], name: str) -> None:
        barrier.wait()
        try:
            what()
            ended.append(name)
        except WrongState:
            pass

    threads = [
        threading.Thread(target=run, args=(lambda: worker.finish(job), "finish")),
        threading.Thread(target=run, args=(lambda: world.desk.cancel(task.id), "cancel")),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    state = world.desk.task(task.id).state
    assert (state, ended, world.published) in [
        (S.SUCCESS, ["finish"], [task.id]),
        (S.CANCELLED, ["cancel"], []),
    ]


def test_claims_side_by_side(world: World) -> None:
    """Slots that all think that a run is theirs: the one that the engine gave it to has it."""
    task = world.submit("a")
    slots = [world.worker(f"w{number}") for number in range(4)]
    run = slots[0].take_run()
    assert run is not None
    slots[0].claim(run)
    give_on(world, slots[2])
    refused = list[WrongState]()

    def claim(slot: HandSlot) -> None:
        try:
            slot.claim(run)
        except WrongState as problem:
            refused.append(problem)

    threads = [threading.Thread(target=claim, args=(slot,)) for slot in slots[1:]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trials = world.desk.attempts(task.id)
    assert [(trial.worker, trial.ending) for trial in trials] == [("w0", "lost"), ("w2", "")]
    assert len(refused) == 2


def give_on(world: World, slot: HandSlot) -> None:
    """Let the engine give what runs to another slot."""
    world.desk.dispatch.give_back(world.desk.dispatch.running())
    assert slot.take_run() is not None


def test_publishing_that_fails_and_publishing_that_waits(world: World) -> None:
    desk, worker = world.desk, world.worker()
    world.failing = PublishError("the index is damaged")
    task = world.submit("a")
    failed = worker.finish(worker.take())
    assert (failed.id, failed.state, failed.exit_code) == (task.id, S.FAILED, 18)
    assert "the index is damaged" in failed.reason

    world.failing = NoRoom("the disk is full")
    later = world.submit("b")
    kept = worker.finish(worker.take())
    assert (kept.state, kept.reason) == (S.PUBLISHING, "the disk is full")
    with pytest.raises(WrongState, match="publishing"):
        desk.cancel(later.id)
    assert "the disk is full" in desk.why(later.id)[0].reason
    world.restart()
    world.failing = None
    world.desk.reconcile()
    assert world.desk.task(later.id).state is S.SUCCESS
    assert world.published == [later.id]


def test_what_is_not_published(world: World) -> None:
    world.submit("a", publish=False)
    worker = world.worker()
    done = worker.finish(worker.take())
    assert (done.state, len(done.outputs), world.published) == (S.SUCCESS, 1, [])


def test_logs_grow_without_gaps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, worker = world.desk, world.worker()
    task = world.submit("a")
    worker.take()
    heard: list[tuple[int, int]] = []
    stop = desk.on_log(task.id, lambda attempt, size: heard.append((attempt, size)))
    assert desk.append_log(task.id, 1, 0, b"one\n") == 4
    assert desk.append_log(task.id, 1, 0, b"one\ntwo\n") == 8, "repeated: the answer was lost"
    with pytest.raises(WrongState) as gap:
        desk.append_log(task.id, 1, 9, b"x")
    assert gap.value.fields == {"size": 8}
    monkeypatch.setattr("lapstrake.farm.desk.logs.MOST", 10)
    with pytest.raises(TooLarge) as full:
        desk.append_log(task.id, 1, 8, b"three\n")
    assert full.value.fields == {"size": 8}
    stop()
    assert heard == [(1, 4), (1, 8)]
    assert desk.log_path(task.id, 1).read_bytes() == b"one\ntwo\n"
    assert desk.attempts(task.id)[0].log_size == 8


def test_samples_are_kept_by_time(world: World) -> None:
    desk, worker = world.desk, world.worker()
    task = world.submit("a")
    worker.take()
    samples = [ResourceSample(seconds=s, cpu_seconds=s / 2, memory=10) for s in (3.0, 6.0)]
    desk.add_samples(task.id, 1, samples[:1])
    desk.add_samples(task.id, 1, samples)
    with desk.log_path(task.id, 1).with_suffix(".samples").open("a") as file:
        file.write('{"seconds": 9')  # cut off by a crash
    assert desk.samples(task.id, 1) == tuple(samples)
    with pytest.raises(Unknown):
        desk.samples(task.id, 2)


def test_pages_of_tasks(world: World) -> None:
    desk = world.desk
    tasks = desk.submit_many([world.spec(f"p{n % 2}", fresh=True) for n in range(7)], "alice")
    desk.cancel(tasks[0].id)
    pages, after = [], ""
    while True:
        page = desk.tasks(TaskFilter(owner="alice"), after=after, limit=3)
        pages.append([task.id for task in page.items])
        if page.next is None:
            break
        after = page.next
    assert pages == [[t.id for t in reversed(tasks)][i : i + 3] for i in (0, 3, 6)]
    found = desk.tasks(TaskFilter(name="p0", states=(S.QUEUED,), branch="stable")).items
    assert [task.id for task in found] == [tasks[n].id for n in (6, 4, 2)]
    assert desk.tasks(TaskFilter(owner="bob")).items == ()
    assert desk.counts()[S.QUEUED] == 6


def test_history_says_what_builds_took(world: World) -> None:
    desk, worker = world.desk, world.worker()
    for name in ("a", "b", "c"):
        world.submit(name)
        job = worker.take()
        world.clock.now += 10
        worker.finish(job)
    page = desk.history(limit=2)
    assert [(row.name, row.worker, row.seconds) for row in page.items] == [
        ("c", "w1", 10.0),
        ("b", "w1", 10.0),
    ]
    assert page.next is not None
    assert [row.name for row in desk.history(after=page.next).items] == ["a"]
    assert [row.name for row in desk.history(name="b").items] == ["b"]
    until = world.clock.now
    assert [row.name for row in desk.history(since=until - 10, until=until).items] == ["b"]
    assert [each.wall_seconds for each in desk.measured()] == [10.0, 10.0, 10.0]


def test_a_retry_is_a_new_round(world: World) -> None:
    desk, worker = world.desk, world.worker()
    task = world.submit("a")
    with pytest.raises(WrongState):
        desk.retry(task.id)
    worker.finish(worker.take(), ok=False)
    again = desk.retry(task.id, by="bob")
    assert (again.state, again.exit_code) == (S.QUEUED, 0)
    job = worker.take()
    assert job.attempt == 2
    assert worker.finish(job).state is S.SUCCESS
    with pytest.raises(WrongState, match="success"):
        desk.retry(task.id)


def test_what_is_kept_and_for_how_long(world: World) -> None:
    desk, worker = world.desk, world.worker()
    task = world.submit("old")
    job = worker.take()
    desk.append_log(task.id, 1, 0, b"x\n")
    done = worker.finish(job)
    open_task = world.submit("open")
    assert desk.referenced() == {
        done.outputs[0].digest,
        done.spec.bundle,
        open_task.spec.bundle,
    }
    world.clock.now += world.config.farm.keep + 1
    desk.prune()
    assert desk.referenced() == {open_task.spec.bundle}
    assert not desk.log_path(task.id, 1).exists()
    assert desk.task(task.id).state is S.SUCCESS
    assert desk.events(task=task.id).items == ()


def test_deadlines(world: World) -> None:
    desk, worker = world.desk, world.worker()
    farm = world.config.farm
    new = desk.new_task("alice")
    queued, fetched = world.submit("q", arch="arm64"), world.submit("f")
    follower = world.submit("q", arch="arm64")
    worker.take()
    world.clock.now += farm.fetch_timeout + 1
    worker.beat()
    desk.expire()
    overdue = desk.task(fetched.id)
    assert (overdue.state, overdue.reason) == (S.ERROR, "it was fetching for too long")
    world.clock.now += farm.new_timeout
    desk.expire()
    assert desk.task(new.id).state is S.ERROR
    assert desk.task(queued.id).state is S.QUEUED
    assert desk.retry(new.id).state is S.NEW, "it still lacks everything"
    world.clock.now += farm.queue_timeout
    desk.expire()
    assert desk.task(queued.id).state is S.ERROR
    assert desk.task(follower.id).state is S.QUEUED, "it takes over, with its own time to wait"
