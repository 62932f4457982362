"""Groups on the desk, on both databases."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import pytest

from farm_desk import World
from lapstrake.farm.problems import Invalid, Unknown, WrongState
from lapstrake.farm.values.groups import Group, GroupSpec, GroupState, MemberSpec
from lapstrake.farm.values.tasks import TaskState

S = TaskState


def diamond(world: World, **more: object) -> Group:
    """``base`` is needed by two, both are needed by ``top``."""
    members = (
        world.member("top", "left", "right"),
        world.member("left", "base"),
        world.member("right", "base"),
        world.member("base"),
        world.member("alone"),
    )
    spec = GroupSpec(name="diamond", members=members, **more)  # type: ignore[arg-type]
    return world.desk.submit_group(spec, "alice")


def states(world: World, group: Group) -> dict[str, TaskState]:
    return {member.name: member.state for member in world.desk.group(group.id).members}


def task_of(group: Group, name: str) -> int:
    return next(member.task for member in group.members if member.name == name)


def test_members_start_when_what_they_need_is_published(world: World) -> None:
    group = diamond(world)
    assert states(world, group) == {
        "top": S.WAITING, "left": S.WAITING, "right": S.WAITING, "base": S.QUEUED,
        "alone": S.QUEUED,
    }  # fmt: skip
    assert world.desk.edges()[task_of(group, "left")] == (task_of(group, "base"),)
    why = world.desk.why(task_of(group, "top"))
    assert [wait.reason for wait in why][:2] == [
        "it needs left, which is waiting",
        "it needs right, which is waiting",
    ]
    worker = world.worker()
    for _ in range(5):
        assert worker.build().state is S.SUCCESS
    done = world.desk.group(group.id)
    assert done.state is GroupState.SUCCESS
    order = [next(m.name for m in group.members if m.task == t) for t in world.published]
    assert order.index("base") < min(order.index("left"), order.index("right"))
    assert order[-1] == "top"
    assert world.desk.events(group=group.id).items[-1].kind == "group.success"


def test_a_failure_skips_what_needs_it_and_a_resume_builds_the_rest(world: World) -> None:
    group = diamond(world)
    worker = world.worker()
    worker.finish(worker.take(), ok=False)  # base
    assert states(world, group) == {
        "top": S.SKIPPED, "left": S.SKIPPED, "right": S.SKIPPED, "base": S.FAILED,
        "alone": S.QUEUED,
    }  # fmt: skip
    skipped = world.desk.task(task_of(group, "top"))
    assert skipped.reason in {f"it needs {n}, which was skipped" for n in ("left", "right")}
    worker.build()  # alone
    assert world.desk.group(group.id).state is GroupState.FAILED
    resumed = world.desk.resume_group(group.id, by="bob")
    assert resumed.state is GroupState.RUNNING
    for _ in range(4):
        worker.build()
    assert world.desk.group(group.id).state is GroupState.SUCCESS
    assert len(world.published) == 5, "nothing was published twice"
    with pytest.raises(WrongState):
        world.desk.resume_group(group.id)


def test_retry_of_one_member_brings_back_what_it_held_up(world: World) -> None:
    group = diamond(world)
    worker = world.worker()
    worker.finish(worker.take(), ok=False)
    worker.finish(worker.take(), ok=False)  # alone
    world.desk.retry(task_of(group, "base"))
    assert states(world, group) == {
        "top": S.WAITING, "left": S.WAITING, "right": S.WAITING, "base": S.QUEUED,
        "alone": S.FAILED,
    }  # fmt: skip
    for _ in range(4):
        worker.build()
    assert world.desk.group(group.id).state is GroupState.FAILED, "alone failed"


def test_stop_at_the_first_failure(world: World) -> None:
    group = diamond(world, stop=True)
    worker = world.worker()
    worker.finish(worker.take(), ok=False)
    assert states(world, group)["alone"] is S.SKIPPED
    assert worker.take_run() is None, "the engine has forgotten it, too"
    assert world.desk.group(group.id).state is GroupState.FAILED


def test_cancel_of_a_group(world: World) -> None:
    group = diamond(world)
    worker = world.worker()
    job = worker.take()
    gone = world.desk.cancel_group(group.id, by="bob")
    assert gone.state is GroupState.CANCELLED
    assert set(states(world, group).values()) == {S.CANCELLED}
    assert worker.beat(job) == (job.task,)
    assert worker.take_run() is None
    with pytest.raises(WrongState):
        world.desk.cancel_group(group.id)
    assert world.desk.resume_group(group.id).state is GroupState.RUNNING


def test_equal_members_of_two_groups_are_built_once(world: World) -> None:
    first, second = diamond(world), diamond(world)
    worker = world.worker()
    for _ in range(5):
        worker.build()
    assert worker.take_run() is None
    for group in (first, second):
        assert world.desk.group(group.id).state is GroupState.SUCCESS
    assert len(world.published) == 5


def test_groups_that_need_each_other_the_other_way_round_do_not_lock_up(world: World) -> None:
    """What is built twice in opposite orders: joins never wait for what waits itself."""
    one = GroupSpec(members=(world.member("a"), world.member("b", "a")))
    other = GroupSpec(members=(world.member("b"), world.member("a", "b")))
    groups = [world.desk.submit_group(spec, "alice") for spec in (one, other)]
    worker = world.worker()
    while world.desk.counts()[S.QUEUED]:
        worker.build()
        world.clock.now += 2
    assert {world.desk.group(group.id).state for group in groups} == {GroupState.SUCCESS}


def test_groups_that_make_no_sense(world: World) -> None:
    def submit(*members: MemberSpec, **more: object) -> Group:
        return world.desk.submit_group(GroupSpec(members=members, **more), "alice")  # type: ignore[arg-type]

    with pytest.raises(Invalid, match="no members"):
        submit()
    with pytest.raises(Invalid, match="2 members are called a"):
        submit(world.member("a"), world.member("a"))
    with pytest.raises(Invalid, match="b needs c, not in the group"):
        submit(world.member("a"), world.member("b", "c"))
    with pytest.raises(Invalid) as cycle:
        submit(world.member("a", "b"), world.member("b", "c"), world.member("c", "a"))
    assert all(name in cycle.value.brief for name in ("a", "b", "c"))
    with pytest.raises(Invalid):
        submit(world.member("a", "a"))
    with pytest.raises(Invalid):
        submit(world.member("a"), priority=1000)
    with pytest.raises(Unknown):
        world.desk.group(7)
    assert world.desk.groups().items == ()


def test_a_chain_of_results_that_are_there_is_no_deep_recursion(world: World) -> None:
    members = tuple(world.member(f"m{n}", *([f"m{n - 1}"] if n else [])) for n in range(40))
    built = world.desk.submit_many([member.spec for member in members], "alice")
    worker = world.worker()
    job = worker.take()
    with world.database.write() as session:
        from lapstrake.farm.tables.rows import TaskRow

        for task in built[1:]:
            session.get_one(TaskRow, task.id).state = S.SUCCESS.value
    group = world.desk.submit_group(GroupSpec(members=members), "alice")
    assert group.members[0].state is S.WAITING
    worker.finish(job)
    assert world.desk.group(group.id).state is GroupState.SUCCESS


def bundle_archive(name: str, *needs: str) -> bytes:
    """A native bundle as somebody would upload it."""
    text = f"""
[package]
name = "{name}"
version = "1.0"
description = "A package of a group"
[depends]
build = [{", ".join(f'"{need}"' for need in needs)}]
"""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        entry = tarfile.TarInfo(f"{name}/lapstrake.toml")
        entry.size = len(text.encode())
        archive.addfile(entry, io.BytesIO(text.encode()))
    return data.getvalue()


def test_needs_are_found_in_the_bundles(world: World) -> None:
    def member(name: str, *needs: str) -> MemberSpec:
        file = world.contents.scratch / name
        file.write_bytes(bundle_archive(name, *needs))
        spec = replace(world.spec(name), bundle=world.contents.add_file(file))
        return MemberSpec(name=f"m-{name}", spec=spec)

    odd = MemberSpec(name="odd", spec=replace(world.spec("odd"), bundle="", source="apt:hello"))
    group = world.desk.submit_group(
        GroupSpec(members=(member("app", "libbase"), member("libbase"), odd)), "alice"
    )
    assert {m.name: m.needs for m in group.members} == {
        "m-app": ("m-libbase",),
        "m-libbase": (),
        "odd": (),
    }
    said = [event.text for event in world.desk.events(group=group.id).items]
    assert "what odd needs is not known: apt:hello is only known once it is fetched" in said
