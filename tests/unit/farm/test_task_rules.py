"""The farm's pure rules: legal moves, queues, keys, groups, and why things wait."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.model import groups, queues, states
from lapstrake.farm.model.identity import is_pinned, key_of
from lapstrake.farm.model.waiting import Facts, waits
from lapstrake.farm.problems import Invalid, WrongState
from lapstrake.farm.values.groups import GroupState, Member, MemberSpec
from lapstrake.farm.values.tasks import Forecast, Requirements, TaskKind, TaskSpec, TaskState
from lapstrake.farm.values.workers import Slot, SlotState, Worker, WorkerFacts, WorkerState

S = TaskState
HERE = WorkerFacts(
    name="here", incarnation="1", arches=("amd64", "i386"), capabilities=("docker", "kvm"),
    cores=8, memory=16 << 30, disk=100 << 30,
)  # fmt: skip


def test_every_state_has_its_moves_and_a_way_out() -> None:
    assert set(states.MOVES) == set(TaskState)
    for state in TaskState:
        assert state not in states.MOVES[state]
        reached, pending = {state}, [state]
        while pending:
            for following in states.MOVES[pending.pop()] - reached:
                reached.add(following)
                pending.append(following)
        assert reached & states.ENDED, f"a task that is {state} would never end"
    assert states.MOVES[S.SUCCESS] == frozenset()
    assert S.CANCELLED not in states.MOVES[S.PUBLISHING], "half a repository is nobody's wish"
    for ended in states.RETRIED:
        assert states.MOVES[ended] == {S.NEW, S.WAITING}


def test_what_has_ended_is_not_cancelled_and_nothing_else_is_advised() -> None:
    for ended in states.ENDED:
        with pytest.raises(WrongState, match=f"{ended}: it cannot be cancelled") as refused:
            states.check(ended, S.CANCELLED)
        assert refused.value.resolution == "It has ended already: there is nothing to cancel."


def test_emulated_machines_are_told_apart() -> None:
    assert HERE.machines == "amd64, i386"
    assert replace(HERE, emulated=("i386",)).machines == "amd64; emulated: i386"


@given(st.sampled_from(TaskState), st.sampled_from(TaskState))
def test_what_is_not_in_the_table_is_refused(before: TaskState, after: TaskState) -> None:
    if after in states.MOVES[before]:
        states.check(before, after)
        return
    with pytest.raises(WrongState) as refused:
        states.check(before, after)
    assert refused.value.resolution
    assert refused.value.fields == {"state": before.value, "wanted": after.value}


def test_somebody_holds_each_state_that_is_not_the_last() -> None:
    for state in TaskState:
        assert bool(states.holder(state, worker="w")) is (state not in states.ENDED)


words = st.sampled_from(["kvm", "docker", "gpu"])
requirements = st.builds(
    Requirements,
    capabilities=st.lists(words, max_size=3).map(tuple),
    cores=st.integers(0, 16),
    memory=st.integers(0, 32 << 30),
    disk=st.integers(0, 200 << 30),
    worker=st.sampled_from(["", "", "here", "there"]),
)


@given(requirements, st.sampled_from(["amd64", "arm64"]))
def test_whoever_listens_to_a_queue_can_serve_all_that_is_in_it(
    wanted: Requirements, arch: str
) -> None:
    queue = queues.queue_of(arch, wanted)
    able = (
        wanted.worker == HERE.name
        if wanted.worker
        else arch in HERE.arches
        and set(wanted.capabilities) <= set(HERE.capabilities)
        and wanted.cores <= HERE.cores
        and -(-wanted.memory // (1 << 20)) <= HERE.memory >> 20
        and -(-wanted.disk // (1 << 20)) <= HERE.disk >> 20
    )
    assert queues.serves(HERE, queue) is able
    assert (queues.missing(HERE, queue) == ()) is able


@given(capabilities=st.sets(st.sampled_from(["kvm", "gpu", "release"])))
def test_a_pools_worker_builds_what_asks_for_it(capabilities: set[str]) -> None:
    pooled = WorkerFacts(
        name="p", incarnation="i", arches=("amd64",), capabilities=("kvm", "release"),
        pool="release",
    )  # fmt: skip
    requires = Requirements(capabilities=tuple(sorted(capabilities)))
    queue = queues.queue_of("amd64", requires)
    able = "release" in capabilities and "gpu" not in capabilities
    assert queues.serves(pooled, queue) is able
    assert bool(queues.missing(pooled, queue)) is not able
    if "release" not in capabilities:
        assert "kept for tasks that ask for release" in " ".join(queues.missing(pooled, queue))
    assert queues.serves(pooled, "worker.p")


def test_queues_by_name() -> None:
    assert queues.queue_of("amd64", Requirements()) == "build.amd64"
    many = Requirements(capabilities=("kvm", "docker"), cores=4, memory=(1 << 30) + 1)
    assert queues.queue_of("arm64", many) == "build.arm64.cores-4.docker.kvm.memory-1025"
    assert queues.queue_of("amd64", replace(many, worker="here")) == "worker.here"
    assert queues.missing(HERE, "build.arm64.cores-9.gpu.memory-20480") == (
        "it does not run arm64",
        "it has fewer than 9 cores",
        "it has no gpu",
        "it has less than 20.0 GiB of memory",
    )


@pytest.mark.parametrize("word", ["", "KVM", "a.b", "memory-5", "cores-1", "x" * 33, "a b"])
def test_words_that_are_no_capabilities(word: str) -> None:
    with pytest.raises(Invalid):
        queues.queue_of("amd64", Requirements(capabilities=(word,)))


SPEC = TaskSpec(name="hello", bundle="sha256:" + "1" * 64, branch="stable", arch="amd64")


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, requires=Requirements(worker="w")),
        replace(SPEC, seconds=5, silence=6, memory=7),
        replace(SPEC, fresh=True),
        replace(SPEC, target="amd64"),
        replace(SPEC, source="app/hello"),
    ],
)
def test_what_does_not_shape_the_result_does_not_count(other: TaskSpec) -> None:
    assert key_of(other) == key_of(SPEC)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, kind=TaskKind.ARTIFACT),
        replace(SPEC, name="other"),
        replace(SPEC, bundle="sha256:" + "2" * 64),
        replace(SPEC, branch="testing"),
        replace(SPEC, arch="arm64"),
        replace(SPEC, target="arm64"),
        replace(SPEC, build_kind="any"),
        replace(SPEC, profiles=("nodoc",)),
        replace(SPEC, network=True),
        replace(SPEC, package="x"),
        replace(SPEC, publish=False),
        replace(SPEC, bundle="", source="apt:hello"),
    ],
)
def test_what_shapes_the_result_counts(other: TaskSpec) -> None:
    assert key_of(other) != key_of(SPEC)


def test_the_key_is_the_same_tomorrow() -> None:
    """A golden key: if it moves, every result that is there is built again."""
    assert key_of(SPEC) == "1b46c9efa98c33aa9143d070ea8eb4d5cf63de502b19754960e4e717e9887f92"


def test_pinned() -> None:
    assert is_pinned(SPEC)
    assert is_pinned(TaskSpec(source="apt:hello=2.10-3"))
    assert not is_pinned(TaskSpec(source="apt:hello"))
    assert not is_pinned(TaskSpec(source="app/a=b"))


@st.composite
def graphs(draw: st.DrawFn) -> list[Member]:
    """Members that need only those before them, so that there is no cycle."""
    count = draw(st.integers(1, 8))
    return [
        Member(
            name=f"m{n}",
            task=n,
            state=S.WAITING,
            needs=tuple(f"m{k}" for k in draw(st.sets(st.integers(0, n - 1))) if n) if n else (),
        )
        for n in range(count)
    ]


@given(graphs(), st.booleans(), st.data())
def test_groups_end_and_never_start_too_early(
    members: list[Member], stop: bool, data: st.DataObject
) -> None:
    """Play a group with random ends: each member starts once, after its needs; all ends."""
    now = {member.name: member for member in members}
    started: list[str] = []
    while True:
        following = groups.advance(now.values(), stop=stop)
        for name, reason in following.skip.items():
            assert reason
            assert now[name].state in {S.WAITING, S.QUEUED}
            now[name] = replace(now[name], state=S.SKIPPED)
        for name in following.start:
            assert name not in started
            assert all(now[need].state is S.SUCCESS for need in now[name].needs)
            started.append(name)
            now[name] = replace(now[name], state=S.QUEUED)
        queued = [name for name, member in now.items() if member.state is S.QUEUED]
        if not queued:
            break
        assert following.state is GroupState.RUNNING
        name = data.draw(st.sampled_from(queued))
        end = data.draw(st.sampled_from([S.SUCCESS, S.SUCCESS, S.FAILED, S.ERROR, S.CANCELLED]))
        now[name] = replace(now[name], state=end)
    ends = {member.state for member in now.values()}
    assert ends <= states.ENDED
    good = ends == {S.SUCCESS}
    assert groups.advance(now.values(), stop=stop).state is (
        GroupState.SUCCESS if good else GroupState.FAILED
    )
    for member in now.values():
        needed = [now[need].state for need in member.needs]
        if member.state is S.SKIPPED and not stop:
            assert set(needed) - {S.SUCCESS}, "nothing is skipped without a cause"
        if member.state is S.SUCCESS:
            assert set(needed) <= {S.SUCCESS}


@given(graphs())
def test_a_retry_brings_back_exactly_what_hangs_on_it(members: list[Member]) -> None:
    failed = members[0].name
    now = [replace(members[0], state=S.FAILED), *members[1:]]
    skipped = groups.advance(now, stop=False).skip
    after = [replace(m, state=S.SKIPPED) if m.name in skipped else m for m in now]
    assert set(groups.revived(after, failed)) == set(skipped)


def test_groups_that_cannot_be() -> None:
    def names(*found: str) -> Iterable[MemberSpec]:
        return [MemberSpec(name=name, spec=SPEC) for name in found]

    for wrong, said in (
        (names(), "no members"),
        (names("a", "a"), "2 members are called a"),
        (names(""), "no member's name"),
        (names("a\n"), "no member's name"),
    ):
        with pytest.raises(Invalid, match=said):
            groups.check_names(list(wrong))
    with pytest.raises(Invalid, match="a needs c, d, not in the group"):
        groups.check_needs({"a": ["d", "c", "b"], "b": []})
    with pytest.raises(Invalid) as cycle:
        groups.check_needs({"a": ["b"], "b": ["c"], "c": ["a"], "d": ["a"]})
    assert "need each other" in cycle.value.brief
    assert "d" not in cycle.value.brief.split(": ")[1].split(" → ")
    groups.check_needs({"a": ["b"], "b": []})


def worker(state: WorkerState = WorkerState.ONLINE, **facts: object) -> Worker:
    slots = (Slot(number=0, executor="e"),)
    return Worker(facts=replace(HERE, **facts), state=state, slots=slots, seen=1000.0)  # type: ignore[arg-type]


QUEUED = Facts(task=1, state=S.QUEUED, now=1000.0, queue="build.amd64", workers=(worker(),))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(task=1, state=S.NEW, now=0, lacks=("a branch",)), "it lacks a branch"),
        (Facts(task=1, state=S.NEW, now=0), "it lacks the word to build"),
        (replace(QUEUED, state=S.WAITING, same_as=4), "task 4 builds the same; this one shares"),
        (QUEUED, "here takes it in a moment"),
        (replace(QUEUED, ahead=2), "2 tasks in build.amd64 come first"),
        (replace(QUEUED, queue="worker.here"), "it is kept for here"),
        (replace(QUEUED, workers=()), "it needs a worker for amd64"),
        (replace(QUEUED, queue="worker.x"), "there is no worker x"),
        (replace(QUEUED, room="the disk is full"), "the disk is full"),
        (
            replace(QUEUED, workers=(replace(worker(WorkerState.DRAINING), told=True),)),
            "worker here could build it, but drains",
        ),
        (
            replace(QUEUED, workers=(replace(worker(WorkerState.DRAINING), disk_free=9 << 20),)),
            "worker here could build it, but takes nothing new: it is being stopped, has too "
            "little room (9.0 MiB free) or a wrong configuration",
        ),
        (
            replace(QUEUED, now=1090.0, workers=(worker(WorkerState.SILENT),)),
            "worker here could build it, but has been silent for 1 min 30 s",
        ),
        (
            replace(QUEUED, state=S.BUILDING, unheard=400.0, silence=600.0),
            "its log has said nothing for 6 min 40 s; it is stopped after 10 min",
        ),
        (
            replace(QUEUED, state=S.BUILDING, worker="here", now=1020.0),
            "worker here has been silent for 20 s; others may take the task after 30 s",
        ),
        (replace(QUEUED, state=S.PUBLISHING, reason="disk full"), "it is published as soon as"),
    ],
)
def test_why(facts: Facts, reason: str) -> None:
    assert waits(facts)[0].reason.startswith(reason), waits(facts)[0].reason


def test_why_says_when_and_what_else() -> None:
    forecast = Forecast(start=1060.0, finish=1120.0, basis="3 builds of it")
    said = [wait.reason for wait in waits(replace(QUEUED, forecast=forecast, deadline=4600.0))]
    assert said[1:] == [
        "it is thought to start in 1 min (3 builds of it)",
        "if nothing changes it is given up in 1 h",
    ]
    needs = tuple(Member(name=f"m{n}", task=n, state=S.QUEUED) for n in range(7))
    done = Member(name="done", task=9, state=S.SUCCESS)
    waiting = waits(replace(QUEUED, state=S.WAITING, needs=(done, *needs)))
    assert [wait.task for wait in waiting] == [0, 1, 2, 3, 4, None]
    assert waiting[-1].reason == "it needs 2 more members of its group"
    busy = replace(worker(), slots=(Slot(number=0, executor="e", state=SlotState.BUSY, task=3),))
    only = waits(replace(QUEUED, workers=(busy,)))
    assert (only[0].reason, only[0].task) == ("1 slot of here: all are busy", 3)
    for ended in states.ENDED:
        assert waits(replace(QUEUED, state=ended)) == ()
