"""The Python client on a real server, through a network that breaks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from breaking_proxy import breaking_proxy
from farm_hand import HandWorker
from farm_server import FarmServer
from lapstrake.errors import BundleError, FarmError
from lapstrake.farm.client.answer import UnreachableError
from lapstrake.farm.client.farm import Farm
from lapstrake.farm.client.uploads import PIECE, digest_of, has_content, upload
from lapstrake.farm.problems import Invalid, Unknown, WrongState
from lapstrake.farm.values.groups import GroupSpec, GroupState, MemberSpec
from lapstrake.farm.values.tasks import TaskSpec, TaskState
from lapstrake.farm.values.workers import WorkerState

T = TypeVar("T")

_SPEC = TaskSpec(name="hello", source="apt:hello", branch="stable", publish=False)


@pytest.fixture
def farm(server: FarmServer) -> Iterator[Farm]:
    with Farm(server.url, patience=10.0) as client:
        yield client


def test_a_task_is_submitted_followed_and_its_files_come(
    farm: Farm, hand: HandWorker, tmp_path: Path
) -> None:
    task = farm.tasks.submit(_SPEC, priority=7)
    assert (task.state, task.priority, task.spec.source) == (TaskState.QUEUED, 7, "apt:hello")
    assert farm.tasks.why(task.id)
    number = hand.claim(task.id)
    hand.write(task.id, "one\ntwo\nthree\n")
    hand.finish(task.id, files={"hello.txt": b"hello\n"}, version="1.0")
    ended = farm.tasks.wait(task.id, seconds=10)
    assert (ended.state, ended.version, ended.attempt) == (TaskState.SUCCESS, "1.0", number)
    assert [each.ending for each in farm.tasks.attempts(task.id)] == ["success"]
    assert [each.name for each in farm.tasks.artifacts(task.id)] == ["hello.txt"]
    (file,) = farm.tasks.download(task.id, tmp_path / "out")
    assert file.read_bytes() == b"hello\n"
    file.write_bytes(b"damaged")
    assert farm.tasks.download(task.id, tmp_path / "out") == (file,)
    assert file.read_bytes() == b"hello\n"
    assert farm.tasks.log(task.id, lines=2).data == b"two\nthree\n"
    assert farm.tasks.log(task.id).complete
    assert "task.success" in [each.kind for each in farm.tasks.events(task.id)]


def test_pages_are_walked_to_the_end(farm: Farm) -> None:
    made = farm.tasks.submit_many(
        [TaskSpec(name="many", source=f"apt:many{n}", branch="stable") for n in range(205)]
    )
    assert len(made) == 205
    found = list(farm.tasks.all(name="many"))
    assert [each.id for each in found] == sorted((each.id for each in made), reverse=True)
    assert len(farm.tasks.page(name="many", limit=10).items) == 10


def test_refusals_are_problems(farm: Farm) -> None:
    with pytest.raises(Unknown):
        farm.tasks.get(10**9)
    with pytest.raises(Invalid) as wrong:
        farm.tasks.submit(TaskSpec(source="apt:hello", branch="nowhere"))
    assert "stable" in f"{wrong.value}"
    task = farm.tasks.submit(TaskSpec(name="twice", source="apt:twice", branch="stable"))
    assert farm.tasks.cancel(task.id, "no need").state is TaskState.CANCELLED
    with pytest.raises(WrongState):
        farm.tasks.cancel(task.id)
    assert farm.tasks.retry(task.id).state is TaskState.QUEUED
    assert farm.tasks.set_priority(task.id, -5).priority == -5
    with pytest.raises(Invalid):
        farm.tasks.set_priority(task.id, 101)
    with pytest.raises(TimeoutError):
        farm.tasks.wait(task.id, seconds=0.1)
    with pytest.raises(BundleError):
        farm.tasks.submit(_SPEC, bundle=Path("/nowhere/at/all"))


def test_a_group_is_submitted_and_awaited(farm: Farm, hand: HandWorker) -> None:
    spec = TaskSpec(source="apt:group", publish=False)
    members = (
        MemberSpec(name="lower", spec=spec, needs=()),
        MemberSpec(name="upper", spec=TaskSpec(source="apt:up", publish=False), needs=("lower",)),
    )
    group = farm.groups.submit(GroupSpec(name="two", branch="stable", members=members))
    lower, upper = (each.task for each in group.members)
    hand.claim(lower)
    hand.finish(lower)
    assert farm.tasks.wait(lower, seconds=10).state is TaskState.SUCCESS
    hand.claim(upper)
    hand.finish(upper, ok=False, error="it broke", exit_code=14)
    ended = farm.groups.wait(group.id, seconds=10)
    assert ended.state is GroupState.FAILED
    assert {each.name: each.state for each in ended.members} == {
        "lower": TaskState.SUCCESS,
        "upper": TaskState.FAILED,
    }
    assert farm.groups.resume(group.id).state is GroupState.RUNNING
    assert farm.groups.cancel(group.id).state is GroupState.CANCELLED
    assert farm.groups.page(limit=1).items[0].id == group.id
    assert {each.id for each in farm.groups.tasks(group.id)} == {lower, upper}
    cycle = (MemberSpec(name="lower", spec=spec, needs=("lower",)),)
    with pytest.raises(Invalid, match="lower"):
        farm.groups.submit(GroupSpec(branch="stable", members=cycle))


def test_workers_are_looked_at_and_drained(farm: Farm, hand: HandWorker) -> None:
    (worker,) = farm.workers()
    assert worker.facts.name == hand.name
    assert farm.drain(hand.name).state is WorkerState.DRAINING
    assert farm.drain(hand.name, on=False).state is WorkerState.ONLINE
    with pytest.raises(WrongState):
        farm.forget(hand.name)
    assert farm.status()["workers"] == 1
    assert [each["queue"] for each in farm.queue()]
    assert "stable" in [each["name"] for each in farm.branches()]


def test_an_upload_goes_on_where_it_was_cut(farm: Farm, server: FarmServer, tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(3 * PIECE + 12345))
    with (
        breaking_proxy(server.port, up=PIECE + PIECE // 2) as proxy,
        Farm(proxy.url, patience=20.0) as client,
    ):
        digest = upload(client.connection, file)
    assert proxy.cuts >= 2
    assert digest == digest_of(file)
    assert has_content(farm.connection, digest)


def test_a_download_goes_on_where_it_was_cut(
    farm: Farm, server: FarmServer, hand: HandWorker, tmp_path: Path
) -> None:
    content = os.urandom(3_000_000)
    task = farm.tasks.submit(TaskSpec(source="apt:large", branch="stable", publish=False))
    hand.claim(task.id)
    hand.finish(task.id, files={"large.bin": content})
    farm.tasks.wait(task.id, seconds=10)
    with (
        breaking_proxy(server.port, down=1_000_000) as proxy,
        Farm(proxy.url, patience=20.0) as client,
    ):
        (file,) = client.tasks.download(task.id, tmp_path)
    assert proxy.cuts >= 3
    assert file.read_bytes() == content
    assert list(tmp_path.iterdir()) == [file]


def test_a_followed_log_loses_no_line_and_doubles_none(
    farm: Farm, server: FarmServer, hand: HandWorker
) -> None:
    lines = [f"{number} " + "ä" * (number % 90) for number in range(3000)]
    task = farm.tasks.submit(TaskSpec(source="apt:chatty", branch="stable", publish=False))
    hand.claim(task.id)

    def write() -> None:
        data = "".join(f"{line}\n" for line in lines).encode()
        for begin in range(0, len(data), 9973):  # lines and characters are cut anywhere
            hand.write(task.id, data[begin : begin + 9973])
        hand.finish(task.id)

    seen: list[str] = []
    writer = threading.Thread(target=write)
    with breaking_proxy(server.port, down=100_000) as proxy, Farm(proxy.url) as client:
        writer.start()
        follower = client.tasks.follow(task.id)
        for piece in follower:
            seen += piece.lines
        writer.join()
    assert proxy.cuts >= 2
    assert seen == lines
    assert follower.state is TaskState.SUCCESS


def test_an_answer_that_is_lost_changes_nothing_twice(farm: Farm, server: FarmServer) -> None:
    def through(change: Callable[[Farm], T]) -> T:
        with breaking_proxy(server.port, down=1, once=True) as proxy, Farm(proxy.url) as client:
            answer = change(client)
        assert proxy.cuts == 1
        return answer

    spec = TaskSpec(name="one", source="apt:one", branch="stable")
    task = through(lambda client: client.tasks.submit(spec))
    assert [each.id for each in farm.tasks.all(name="one")] == [task.id]
    many = through(lambda client: client.tasks.submit_many([spec] * 3))
    assert len({each.id for each in many}) == 3
    assert len(list(farm.tasks.all(name="one"))) == 4
    members = (MemberSpec(name="only", spec=TaskSpec(source="apt:only"), needs=()),)
    group = through(
        lambda client: client.groups.submit(GroupSpec(branch="stable", members=members))
    )
    assert farm.groups.page(limit=1).items[0].id == group.id
    assert len(list(farm.tasks.all(group=group.id))) == 1
    assert through(lambda client: client.tasks.cancel(task.id)).state is TaskState.CANCELLED
    assert through(lambda client: client.tasks.retry(task.id)).state is TaskState.WAITING
    ended = through(lambda client: client.groups.cancel(group.id))
    assert ended.state is GroupState.CANCELLED


def test_a_server_that_went_away_is_waited_for(server: FarmServer) -> None:
    with breaking_proxy(server.port) as proxy:
        proxy.away = True
        with Farm(proxy.url, patience=0.3) as client, pytest.raises(UnreachableError) as gone:
            client.status()
        assert "farm.server" in gone.value.resolution
        back = threading.Timer(0.5, lambda: setattr(proxy, "away", False))
        back.start()
        with Farm(proxy.url, patience=20.0) as client:
            assert client.status()["arch"]


def test_what_is_no_farm_is_said(tmp_path: Path) -> None:
    for wrong in ("ftp://farm", "http://", "http://me:secret@host", "http://me:secret@host:99999"):
        with pytest.raises(FarmError) as refused:
            Farm(wrong)
        assert "secret" not in str(refused.value)
    with pytest.raises(FarmError):
        Farm("http://127.0.0.1", token="two words")
