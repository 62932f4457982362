"""Making once for all who wait, with real children (maker.py says what they do)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from lapstrake.registry.demand.jobs import Jobs, State
from lapstrake.registry.demand.making import Order, Workshop
from lapstrake.registry.problems import Problem

MAKER = (sys.executable, str(Path(__file__).with_name("maker.py")))


def workshop(folder: Path, *, at_once: int = 2, timeout: float = 30.0) -> Workshop:
    jobs = Jobs(folder / "jobs")
    return Workshop(jobs, locks=folder / "locks", command=MAKER, at_once=at_once, timeout=timeout)


def order(folder: Path, does: str, *, key: str = "") -> Order[str]:
    line = json.dumps({"folder": str(folder), "does": does}).encode()
    key = key or does.replace(" ", "-")
    return Order(key=key, name=does, line=line, find=nothing, read=lambda made: made["value"])


async def nothing() -> None:
    """It was not made before."""


def started(folder: Path) -> list[int]:
    file = folder / "started"
    return [int(word) for word in file.read_text().split()] if file.exists() else []


async def problem_of(shop: Workshop, wanted: Order[str]) -> Problem:
    with pytest.raises(Problem) as caught:
        await shop.make(wanted)
    return caught.value


async def until(holds: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(0.02)


def test_eight_who_wait_get_the_same_of_one_making(tmp_path: Path) -> None:
    async def go() -> list[str]:
        shop, wanted = workshop(tmp_path), order(tmp_path, "make 0.3")
        return await asyncio.gather(*(shop.make(wanted) for _ in range(8)))

    assert asyncio.run(go()) == ["make 0.3"] * 8
    assert len(started(tmp_path)) == 1
    (job,) = Jobs(tmp_path / "jobs").all()
    assert (job.state, job.step, job.name) == (State.MADE, "writing", "make 0.3")
    assert Jobs(tmp_path / "jobs").tail(job.number).endswith("all of it")


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    """The second one finds what the first one made, when it gets the lock."""

    async def go() -> tuple[str, str]:
        done: list[str] = []
        first, second = workshop(tmp_path), workshop(tmp_path)
        wanted = order(tmp_path, "make 0.3")

        async def finished() -> str | None:
            return "found" if done else None

        again = Order(
            key=wanted.key,
            name=wanted.name,
            line=wanted.line,
            find=finished,
            read=wanted.read,
        )
        task = asyncio.create_task(first.make(wanted))
        task.add_done_callback(lambda task: done.append(task.result()))
        await until(lambda: started(tmp_path))
        return await second.make(again), await task

    assert asyncio.run(go()) == ("found", "make 0.3")
    assert len(started(tmp_path)) == 1


def test_a_client_that_leaves_stops_nothing(tmp_path: Path) -> None:
    async def go() -> str:
        shop, wanted = workshop(tmp_path), order(tmp_path, "make 0.4")
        leaving = asyncio.create_task(shop.make(wanted))
        await until(lambda: started(tmp_path))
        staying = asyncio.create_task(shop.make(wanted))
        leaving.cancel()
        return await staying

    assert asyncio.run(go()) == "make 0.4"
    assert len(started(tmp_path)) == 1


def test_what_everybody_left_is_finished_anyway(tmp_path: Path) -> None:
    async def go() -> None:
        shop = workshop(tmp_path)
        leaving = asyncio.create_task(shop.make(order(tmp_path, "make 0.4")))
        await until(lambda: started(tmp_path))
        leaving.cancel()
        await until(lambda: shop.jobs.all()[0].over)
        assert shop.jobs.all()[0].state is State.MADE

    asyncio.run(go())


def test_a_killed_child_is_told_and_the_next_one_works(tmp_path: Path) -> None:
    async def go() -> tuple[Problem, str]:
        shop = workshop(tmp_path)
        problem = await problem_of(shop, order(tmp_path, "die", key="same"))
        return problem, await shop.make(order(tmp_path, "make 0", key="same"))

    problem, made = asyncio.run(go())
    assert problem.status == 500
    assert "unpacking" in problem.message
    assert "package hello" in problem.message
    assert "SIGKILL" in problem.message
    assert made == "make 0"


def test_the_time_limit_names_the_cause_and_ends_all(tmp_path: Path) -> None:
    async def go() -> Problem:
        return await problem_of(workshop(tmp_path, timeout=4), order(tmp_path, "hang"))

    problem = asyncio.run(go())
    assert "configuring" in problem.message
    assert "package slow" in problem.message
    assert isinstance(problem.detail, dict)
    assert problem.detail["log"][-1] == "Setting up slow (1.0) ..."
    asyncio.run(_gone(int((tmp_path / "stubborn").read_text()), *started(tmp_path)))


def test_missing_packages_are_all_named(tmp_path: Path) -> None:
    async def go() -> Problem:
        return await problem_of(workshop(tmp_path), order(tmp_path, "miss"))

    problem = asyncio.run(go())
    assert (problem.status, problem.code) == (404, "MANIFEST_UNKNOWN")
    assert isinstance(problem.detail, dict)
    assert problem.detail["not_found"] == problem.detail["pkgs"] == ["a", "b"]
    (job,) = Jobs(tmp_path / "jobs").all()
    assert job.missing == ("a", "b")


def test_what_failed_just_now_is_not_tried_again_at_once(tmp_path: Path) -> None:
    """docker asks by HEAD and then by GET: one making."""

    async def go() -> list[Problem]:
        shop = workshop(tmp_path)
        return [await problem_of(shop, order(tmp_path, "miss")) for _ in range(2)]

    first, second = asyncio.run(go())
    assert (first.status, first.message) == (second.status, second.message)
    assert len(started(tmp_path)) == 1


def test_what_was_made_just_now_is_given_again(tmp_path: Path) -> None:
    """Even if nothing finds it: revisions that are not fixed are never looked up."""

    async def go() -> list[str]:
        shop = workshop(tmp_path)
        return [await shop.make(order(tmp_path, "make 0")) for _ in range(2)]

    assert asyncio.run(go()) == ["make 0"] * 2
    assert len(started(tmp_path)) == 1


def test_a_failure_is_told_by_what_the_child_says(tmp_path: Path) -> None:
    async def go() -> Problem:
        return await problem_of(workshop(tmp_path), order(tmp_path, "fail"))

    problem = asyncio.run(go())
    assert "the postinst of broken failed" in problem.message
    assert "configuring" in problem.message


def test_so_many_at_a_time_and_the_others_in_turn(tmp_path: Path) -> None:
    async def go() -> list[int]:
        shop, most = workshop(tmp_path, at_once=1), []
        tasks = [
            asyncio.create_task(shop.make(order(tmp_path, f"make 0.{number}")))
            for number in (3, 2, 1)
        ]
        while not all(task.done() for task in tasks):
            most.append(sum(job.state is State.RUNNING for job in shop.jobs.alive()))
            await asyncio.sleep(0.02)
        return most

    assert max(asyncio.run(go())) == 1
    jobs = sorted(Jobs(tmp_path / "jobs").all(), key=lambda job: job.number)
    assert [job.started for job in jobs] == sorted(job.started for job in jobs)
    assert all(before.ended <= after.started for before, after in pairwise(jobs))


@pytest.mark.parametrize("place", ["locks", "jobs"])
def test_a_disk_that_takes_no_files_is_told(tmp_path: Path, place: str) -> None:
    """A file where a folder should be refuses root, too."""
    (tmp_path / place).write_text("in the way")

    async def go() -> Problem:
        return await problem_of(workshop(tmp_path), order(tmp_path, "make 0"))

    problem = asyncio.run(go())
    assert problem.status == 500
    assert place in problem.message


def test_a_child_that_cannot_start_is_told(tmp_path: Path) -> None:
    async def go() -> Problem:
        jobs = Jobs(tmp_path / "jobs")
        shop = Workshop(jobs, locks=tmp_path / "locks", command=("/no/such",), at_once=1, timeout=9)
        return await problem_of(shop, order(tmp_path, "make 0"))

    problem = asyncio.run(go())
    assert problem.status == 500
    assert "/no/such" in problem.message
    (job,) = Jobs(tmp_path / "jobs").all()
    assert job.state is State.FAILED


def test_a_chatty_child_does_not_block(tmp_path: Path) -> None:
    """Ten megabytes of log: all is read, a bound of it is kept."""

    async def go() -> str:
        return await workshop(tmp_path).make(order(tmp_path, "chat 100000"))

    assert asyncio.run(go()) == "chatty"
    (job,) = Jobs(tmp_path / "jobs").all()
    assert 1 << 20 < Jobs(tmp_path / "jobs").log(job.number).stat().st_size <= 8 << 20


def test_failures_are_a_ring_of_fifteen(tmp_path: Path) -> None:
    async def go() -> None:
        shop = workshop(tmp_path, at_once=4)
        wanted = [order(tmp_path, "miss", key=f"key-{number}") for number in range(17)]
        await asyncio.gather(*(problem_of(shop, each) for each in wanted))

    asyncio.run(go())
    jobs = Jobs(tmp_path / "jobs").all()
    assert [job.number for job in jobs] == list(range(17, 2, -1))
    assert len(list((tmp_path / "jobs").glob("*.log"))) == 15


def test_a_log_that_is_nobodys_takes_no_number_and_goes(tmp_path: Path) -> None:
    """It is left on a full disk, where the facts found no room."""
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "00000005.log").write_text("left")
    asyncio.run(workshop(tmp_path).make(order(tmp_path, "make 0")))
    (job,) = Jobs(tmp_path / "jobs").all()
    assert job.number == 6
    assert [file.name for file in (tmp_path / "jobs").glob("*.log")] == ["00000006.log"]


def test_a_killed_server_leaves_a_failure_and_no_child(tmp_path: Path) -> None:
    async def go() -> None:
        victim = await asyncio.create_subprocess_exec(
            sys.executable, __file__, str(tmp_path), env=os.environ | {"PYTHONPATH": _paths()}
        )
        await until(lambda: (tmp_path / "stubborn").exists())
        assert [job.state for job in Jobs(tmp_path / "jobs").alive()] == [State.RUNNING]
        victim.send_signal(signal.SIGKILL)
        await victim.wait()
        await _gone(*started(tmp_path))
        (job,) = Jobs(tmp_path / "jobs").all()
        assert job.state is State.FAILED
        assert "server ended" in job.brief
        assert await workshop(tmp_path).make(order(tmp_path, "make 0", key="hang")) == "make 0"
        os.kill(int((tmp_path / "stubborn").read_text()), signal.SIGKILL)

    asyncio.run(go())


async def _gone(*pids: int) -> None:
    await until(lambda: not any(psutil.pid_exists(pid) for pid in pids))


def _paths() -> str:
    return os.pathsep.join(path for path in sys.path if path)


async def _hang(folder: Path) -> None:
    await workshop(folder).make(order(folder, "hang"))


if __name__ == "__main__":
    asyncio.run(_hang(Path(sys.argv[1])))


def test_a_flood_of_names_is_refused_and_what_waits_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lapstrake.registry.demand.making._MOST_WAITING", 2)

    async def go() -> tuple[list[str], Problem]:
        shop = workshop(tmp_path)
        waiting = [asyncio.create_task(shop.make(order(tmp_path, f"make 0.{n}"))) for n in (5, 6)]
        await until(lambda: started(tmp_path))
        refused = await problem_of(shop, order(tmp_path, "make 0.7"))
        return await asyncio.gather(*waiting), refused

    made, refused = asyncio.run(go())
    assert made == ["make 0.5", "make 0.6"]
    assert (refused.status, refused.code) == (429, "TOOMANYREQUESTS")
