"""A worker, its slots and their builds: real processes, a real server, real roots."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from farm_server import FarmServer, farm_server
from farm_worker import (
    FarmWorker,
    engine_setting,
    farm_worker,
    pack,
    running,
    submit,
    until,
    wait_for,
)
from lapstrake.config.model import host_arch
from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.uploads import upload
from roots import clone
from shop import Shop

_TOOL = """
[package]
name = "tool"
type = "toolchain"
version = "1.0"
checksum = ["lapstrake.toml"]

[platform]
build = '''
echo '>>> making tool'
test -e {host} || echo in a root
echo every word
mkdir -p out
echo x > out/cc
'''
output = "out"
"""
_QUICK = ("farm.heartbeat=0.5s", "farm.disk_low=200MiB")


@dataclass(frozen=True, kw_only=True)
class Farm:
    """A farm with one worker that shares the server's work folder."""

    server: FarmServer
    client: httpx2.Client
    shop: Shop
    settings: tuple[str, ...]

    def bundle(self, name: str, build: str = "true") -> bytes:
        """An archive of a bundle whose step ``build`` runs some lines."""
        return pack(self.shop.bundle(name, steps={"build": build}))

    def worker(self, *words: str, name: str = "w1") -> AbstractContextManager[FarmWorker]:
        """Start a worker; see `farm_worker`."""
        return farm_worker(self.server.url, self.shop.work_dir, "--embedded", *words, name=name)

    def log(self, task: int) -> str:
        """A task's log."""
        return self.client.get(f"/api/v1/tasks/{task}/log").raise_for_status().text


@pytest.fixture(scope="module")
def farm(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A server without a builder."""
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("farm") / "work")
    settings = (*_QUICK, engine_setting(work_dir))
    with farm_server(work_dir, settings=settings) as server, server.client() as client:
        shop = Shop(work_dir=work_dir)
        yield Farm(server=server, client=client, shop=shop, settings=settings)


@pytest.fixture(scope="module")
def worker(farm: Farm) -> Iterator[FarmWorker]:
    """A worker for the tests that leave it alive."""
    with farm.worker() as worker:
        yield worker


def _mark() -> str:
    """The seconds of a sleep that can be told from everybody else's."""
    return f"{int.from_bytes(os.urandom(3), 'big') + 10_000}.5"


def test_a_bundle_becomes_a_package(farm: Farm, worker: FarmWorker) -> None:
    lines = "for n in $(seq 300); do echo line $n; done; sleep 0.5"
    task = submit(farm.client, farm.bundle("lines", lines))
    status = wait_for(farm.client, task)
    assert status["state"] == "success", farm.log(task)
    assert [output["name"] for output in status["outputs"]] == ["lines_1-1_all.deb"]
    log = farm.log(task).splitlines()
    assert [line for line in log if line.startswith("line ")] == [
        f"line {n}" for n in range(1, 301)
    ]
    assert [line for line in log if line.startswith(">>> building lines")] == [
        ">>> building lines 1-1"
    ]
    (attempt,) = farm.client.get(f"/api/v1/tasks/{task}/attempts").json()
    assert attempt["peaks"]["memory"] > 0
    assert attempt["peaks"]["wall_seconds"] > 0.5
    folder = farm.shop.work_dir / "farm" / "workers" / worker.name
    until(lambda: not list(folder.iterdir()))


def test_a_failing_step_is_named(farm: Farm, worker: FarmWorker) -> None:
    task = submit(farm.client, farm.bundle("broken", "echo sorry; exit 3"))
    status = wait_for(farm.client, task, "failed")
    assert status["exit_code"] == 14
    (attempt,) = farm.client.get(f"/api/v1/tasks/{task}/attempts").json()
    assert attempt["step"] == "build"
    assert attempt["error"] == "the step 'build' failed with status 1"
    assert "sorry" in farm.log(task)
    assert str(farm.shop.work_dir) not in attempt["error"]


def test_limits_hold(farm: Farm, worker: FarmWorker) -> None:
    slow = submit(farm.client, farm.bundle("slow", "sleep 60"), seconds=1)
    silent = submit(farm.client, farm.bundle("silent", "sleep 60"), silence=1)
    hungry = submit(
        farm.client,
        farm.bundle("hungry", "head -c 300M /dev/zero | tail -c 200M > sum"),
        memory=100 << 20,
    )
    assert wait_for(farm.client, slow, "failed")["exit_code"] == 19
    status = wait_for(farm.client, hungry, "failed")
    assert status["exit_code"] == 19
    assert "out of memory" in status["reason"]
    status = wait_for(farm.client, silent, "failed")
    assert status["exit_code"] == 19
    assert "its log said nothing for 1" in status["reason"]


def test_a_cancelled_build_is_dead_at_once(farm: Farm, worker: FarmWorker) -> None:
    mark = _mark()
    task = submit(farm.client, farm.bundle("held", f"setsid sleep {mark} & sleep {mark}"))
    until(lambda: len(running(mark)) >= 2)
    farm.client.post(f"/api/v1/tasks/{task}/cancel", json={}).raise_for_status()
    until(lambda: not running(mark))
    after = submit(farm.client, farm.bundle("after"))
    assert wait_for(farm.client, after)["state"] == "success"


def test_what_a_killed_slot_built_is_built_again(farm: Farm, worker: FarmWorker) -> None:
    mark = _mark()
    lines = f"setsid sleep {mark} & sleep 2"
    task = submit(farm.client, farm.bundle("again", lines))
    until(lambda: running(mark))
    (slot,) = worker.slots()
    slot.kill()
    until(lambda: not running(mark))
    status = wait_for(farm.client, task)
    assert (status["state"], status["attempt"]) == ("success", 2), farm.log(task)
    attempts = farm.client.get(f"/api/v1/tasks/{task}/attempts").json()
    assert [each["ending"] for each in attempts] == ["lost", "success"]


def test_nothing_survives_a_worker_that_is_killed_or_gives_up(farm: Farm) -> None:
    mark = _mark()
    archive = farm.bundle("orphan", f"setsid sleep {mark} & sleep {mark}")
    with farm.worker("--capability", "mortal", name="w2") as worker:
        task = submit(farm.client, archive, requires={"capabilities": ["mortal"]})
        until(lambda: running(mark))
        worker.tell(signal.SIGKILL)
        until(lambda: not running(mark))
    with farm.worker("--capability", "mortal", name="w2") as worker:
        until(lambda: running(mark))
        worker.tell(signal.SIGTERM)
        until(lambda: "finishing" in worker.said())  # two signals at once would be one
        worker.tell(signal.SIGTERM)
        assert worker.wait() == 0
        assert not running(mark)
    assert wait_for(farm.client, task, "queued")["attempt"] == 2


def test_two_workers_of_one_name(farm: Farm, worker: FarmWorker) -> None:
    with farm.worker(name=worker.name) as rival:
        assert rival.wait() == 31
        assert "in use" in rival.said()
        assert "Traceback" not in rival.said()


def test_an_artifact_is_built_in_a_root_and_packed(farm: Farm, worker: FarmWorker) -> None:
    tools = farm.shop.scratch() / "tools"
    for name in ("another", "tool"):
        (tools / name).mkdir(parents=True)
    (tools / "tool" / "lapstrake.toml").write_text(_TOOL.format(host=tools))
    archive = farm.shop.scratch() / "tools.tar"
    archive.write_bytes(pack(tools))
    digest = upload(Connection(farm.server.url), archive)
    spec = {"kind": "artifact", "package": "tool", "bundle": digest, "arch": host_arch().value}
    answer = farm.client.post("/api/v1/tasks", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    task = answer.json()["id"]
    status = wait_for(farm.client, task)
    log = farm.log(task)
    assert status["state"] == "success", log
    (output,) = status["outputs"]
    assert output["name"].startswith("tool-")
    assert ">>> making tool\n" in log
    assert "in a root\n" in log
    assert "every word\n" in log


def test_another_machine_is_emulated(farm: Farm, worker: FarmWorker) -> None:
    facts = farm.client.get(f"/api/v1/workers/{worker.name}").json()["facts"]
    if "arm64" not in facts["emulated"]:
        pytest.skip("nothing runs arm64 here (apt install qemu-user-static binfmt-support)")
    # A whole base OS would take minutes: it is enough that one is begun, and leaves nothing.
    task = submit(farm.client, farm.bundle("foreign"), arch="arm64")
    until(lambda: "loading the base OS" in farm.log(task), 60)
    assert "(arm64, apt)" in farm.log(task)
    unfinished = farm.shop.work_dir / ".builder" / "store" / "unfinished"
    until(lambda: list(unfinished.iterdir()), 60)
    farm.client.post(f"/api/v1/tasks/{task}/cancel", json={}).raise_for_status()
    until(lambda: not list(unfinished.iterdir()), 60)
    after = submit(farm.client, farm.bundle("native"))
    assert wait_for(farm.client, after)["state"] == "success"


def test_a_signal_drains(farm: Farm, worker: FarmWorker) -> None:
    # The last one: it ends the worker that the others have used.
    first = submit(farm.client, farm.bundle("first", "sleep 1"))
    second = submit(farm.client, farm.bundle("second"))
    wait_for(farm.client, first, "building")
    worker.tell(signal.SIGTERM)
    assert worker.wait() == 0
    assert farm.client.get(f"/task/{first}/status").json()["state"] == "success"
    assert wait_for(farm.client, second, "queued")["attempt"] == 0
    assert farm.client.get("/api/v1/workers/w1").json()["state"] == "gone"
    assert "Fatal" not in worker.said()
    assert "Traceback" not in worker.said()
