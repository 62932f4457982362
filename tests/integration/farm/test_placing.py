"""The farm places its tasks: a real desk and engine, planned by the server's loop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_desk import HandSlot, World, make_engine, make_world
from lapstrake.config.model import PlacementKind
from lapstrake.farm.placement.base import Place
from lapstrake.farm.serving.placing import Placer
from lapstrake.farm.values.attempts import Peaks, Result
from lapstrake.farm.values.groups import GroupSpec
from lapstrake.farm.values.tasks import Requirements, TaskState

GIB = 1 << 30


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_engine(tmp_path_factory.mktemp("engine"))


@pytest.fixture
def world(tmp_path: Path, engine: Path) -> Iterator[World]:
    made = make_world(tmp_path / "world", "", engine)
    yield made
    made.close()


def planner(world: World, kind: PlacementKind) -> Placer:
    return Placer(world.desk, lambda: kind, world.clock)


def build_in(world: World, slot: HandSlot, name: str, seconds: float, arch: str = "amd64") -> None:
    """Build a package that takes so long, with all 4 processors of the slot's machine."""
    world.submit(name, fresh=True, arch=arch, requires=Requirements(worker=slot.name))
    job = slot.take()
    world.clock.now += seconds / 4
    peaks = Peaks(wall_seconds=seconds / 4, cpu_seconds=seconds, memory=GIB)
    world.desk.finish(job.task, job.attempt, Result(ok=True, version="1", peaks=peaks))


def test_the_longest_chain_goes_first(world: World) -> None:
    slot = world.worker()
    members = [world.member("alone"), world.member("first"), world.member("middle", "first")]
    spec = GroupSpec(name="g", members=(*members, world.member("last", "middle")))
    group = world.desk.submit_group(spec, "alice")
    planner(world, PlacementKind.CRITICAL_PATH).tick()
    built = []
    while job := slot.take_run():
        built.append(world.desk.task(job.task).member)
        slot.finish(slot.claim(job))
    assert built == ["first", "middle", "last", "alone"] or built == [
        "first",
        "middle",
        "alone",
        "last",
    ]
    assert world.desk.group(group.id).state == "success"


def test_people_come_before_paths(world: World) -> None:
    slot = world.worker()
    chain = (world.member("a"), world.member("b", "a"), world.member("c", "b"))
    world.desk.submit_group(GroupSpec(name="g", members=chain), "alice")
    urgent = world.desk.submit(world.spec("urgent"), "bob", priority=1)
    planner(world, PlacementKind.CRITICAL_PATH).tick()
    assert slot.take().task == urgent.id


def test_the_heavy_one_is_kept_for_the_fast_machine(world: World) -> None:
    slow, fast = world.worker("slow"), world.worker("fast")
    for name in ("small", "large"):
        factor = 10 if name == "large" else 1
        build_in(world, slow, name, 100.0 * factor)
        build_in(world, fast, name, 10.0 * factor)
    small, large = (world.submit(name, fresh=True) for name in ("small", "large"))
    planner(world, PlacementKind.MAKESPAN).tick()
    stands = world.desk.standings()
    assert stands[large.id].queue == "worker.fast"
    assert stands[large.id].cores > 0
    foreseen = world.desk.forecast(large.id)
    assert foreseen is not None
    assert foreseen.basis == "from 2 builds of large"
    assert 20 < foreseen.finish - foreseen.start < 130
    assert fast.take().task == large.id
    assert small.id in stands


def test_what_is_kept_for_a_machine_that_drains_or_dies_goes_to_another(world: World) -> None:
    first, second = world.worker("first"), world.worker("second")
    tasks = [world.submit(name) for name in ("a", "b", "c")]
    placer = planner(world, PlacementKind.MAKESPAN)
    placer.tick()
    queues = {place.queue for place in world.desk.standings().values()}
    assert queues == {"worker.first", "worker.second"}
    world.desk.drain("first", True)
    placer.tick()
    assert {place.queue for place in world.desk.standings().values()} == {"worker.second"}
    world.desk.drain("first", False)
    for _ in range(10):  # the second one is silent in the end
        world.clock.now += 4
        first.beat()
        world.desk.sweep()
    placer.tick()
    assert {place.queue for place in world.desk.standings().values()} == {"worker.first"}
    assert first.take().task in {task.id for task in tasks}
    del second


def test_too_small_a_machine_gets_nothing(world: World) -> None:
    small = world.worker("small", memory=2 * GIB)
    asked = world.submit("large", requires=Requirements(memory=6 * GIB))
    placer = planner(world, PlacementKind.MAKESPAN)
    placer.tick()
    assert world.desk.forecast(asked.id) is None
    assert small.take_run() is None
    large = world.worker("large", memory=8 * GIB)
    placer.tick()
    assert world.desk.standings()[asked.id].queue == "worker.large"
    assert large.take().task == asked.id


def test_a_change_of_mind_brings_tasks_back_to_their_queue(world: World) -> None:
    slot = world.worker()
    task = world.submit("hello")
    planner(world, PlacementKind.MAKESPAN).tick()
    assert world.desk.standings()[task.id].queue == f"worker.{slot.name}"
    planner(world, PlacementKind.CRITICAL_PATH).tick()
    assert world.desk.standings()[task.id].queue == "build.amd64"
    assert slot.build().state is TaskState.SUCCESS


def test_who_shares_a_result_is_told_when_it_comes(world: World) -> None:
    slot = world.worker()
    one, other = world.submit("same"), world.submit("same")
    placer = planner(world, PlacementKind.CRITICAL_PATH)
    placer.tick()
    foreseen, shared = world.desk.forecast(one.id), world.desk.forecast(other.id)
    assert foreseen is not None
    assert shared is not None
    assert shared.finish == foreseen.finish
    assert f"task {one.id}" in shared.basis
    del slot


def test_a_plan_gives_processors_once(world: World) -> None:
    slot = world.worker("w1", cores=8, slots=4)
    tasks = [world.submit(name) for name in ("chain", "other")]
    queue = "worker.w1"
    world.desk.place({tasks[0].id: Place(queue, 2, 8), tasks[1].id: Place(queue, 1, 0)})
    first, second = slot.take(), slot.take()
    assert (first.task, first.reserved_cores) == (tasks[0].id, 8)
    assert (second.task, second.reserved_cores) == (tasks[1].id, 1)
    assert world.desk.held() == {tasks[0].id: 8, tasks[1].id: 1}


def test_a_machine_that_emulates_is_known_to_be_slow(world: World) -> None:
    emulator = world.worker("emulator", arches=("amd64", "arm64"), emulated=("arm64",))
    real = world.worker("real", arches=("arm64",))
    for name in ("small", "large"):
        build_in(world, emulator, name, 10.0)
    placer = planner(world, PlacementKind.MAKESPAN)
    tasks = [world.submit(name, arch="arm64", fresh=True) for name in ("small", "large")]
    placer.tick()
    stands = world.desk.standings()
    assert {stands[task.id].queue for task in tasks} == {"worker.real"}
    assert real.take().task in {task.id for task in tasks}
    build_in(world, emulator, "small", 200.0, arch="arm64")
    assert {row.machine for row in world.desk.measured()} == {"emulator", "emulator as arm64"}
