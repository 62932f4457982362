"""What a worker does when others break: servers, tokens, disks."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_server import FarmServer, farm_server
from farm_worker import engine_setting, farm_worker, pack, submit, until, wait_for
from lapstrake.errors import VersionError
from roots import SOURCE
from shop import Shop


def test_a_build_outlives_its_server(work_dir: Path) -> None:
    settings = ("farm.heartbeat=0.5s", "farm.disk_low=200MiB", engine_setting(work_dir))
    lines = "for n in $(seq 100); do echo line $n; sleep 0.03; done"
    archive = pack(Shop(work_dir=work_dir).bundle("steady", steps={"build": lines}))
    with farm_server(work_dir, settings=settings) as server:
        with (
            farm_worker(server.url, work_dir, "--embedded") as worker,
            server.client() as client,
        ):
            task = submit(client, archive)
            wait_for(client, task, "building")
            server.kill()
            until(lambda: "cannot be reached" in worker.said())
            listen = f"127.0.0.1:{server.port}"
            with farm_server(work_dir, settings=settings, listen=listen):
                status = wait_for(client, task)
                assert (status["state"], status["attempt"]) == ("success", 1)
                log = client.get(f"/api/v1/tasks/{task}/log").text.splitlines()
                said = [line for line in log if line.startswith("line ")]
                assert said == [f"line {n}" for n in range(1, 101)]
                worker.tell(signal.SIGTERM)
                assert worker.wait() == 0
                (seen,) = client.get("/api/v1/workers").json()["items"]
                assert seen["state"] == "gone"


def test_a_worker_waits_for_its_server(tmp_path: Path) -> None:
    with farm_worker("http://127.0.0.1:9", tmp_path) as worker:
        until(lambda: "waiting: " in worker.said())
        worker.tell(signal.SIGTERM)
        assert worker.wait() == 0
        assert worker.said().count("waiting") == 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    """A server that never gives up a silent worker."""
    work_dir = tmp_path_factory.mktemp("server")
    settings = ("farm.heartbeat=0.5s", "farm.dead_after=1h", engine_setting(work_dir))
    with farm_server(work_dir, settings=settings) as server:
        yield server


def test_a_worker_without_a_good_token_ends(server: FarmServer, tmp_path: Path) -> None:
    with farm_worker(server.url, tmp_path, variables={"LAPSTRAKE_TOKEN": "lst_wrong"}) as worker:
        assert worker.wait() == 31
        assert "token" in worker.said()
        assert "Traceback" not in worker.said()


def test_a_worker_starts_no_slot_on_a_full_disk(server: FarmServer, tmp_path: Path) -> None:
    low = {"LAPSTRAKE_FARM_DISK_LOW": "9000TiB"}
    with (
        server.client() as client,
        farm_worker(server.url, tmp_path, name="full", variables=low) as worker,
    ):
        path = "/api/v1/workers/full"
        until(lambda: client.get(path).json().get("state") == "draining")
        assert not worker.slots()


def test_a_worker_builds_nothing_while_its_configuration_is_wrong(
    server: FarmServer, tmp_path: Path
) -> None:
    file = tmp_path / "conf" / "config.toml"
    file.parent.mkdir()
    file.touch()
    with server.client() as client, farm_worker(server.url, tmp_path, name="odd") as worker:
        until(worker.slots)
        file.write_text("[farm]\nnonsense = 1\n")
        until(lambda: not worker.slots())
        until(lambda: client.get("/api/v1/workers/odd").json()["state"] == "draining")
        assert "config.toml:2: unknown key 'farm.nonsense'" in worker.said()
        file.write_text("")
        until(worker.slots)
        assert worker.said().count("nothing new is built") == 1
        assert "Traceback" not in worker.said()


def test_a_worker_ends_when_another_has_its_name(server: FarmServer, tmp_path: Path) -> None:
    rival = {"name": "w1", "incarnation": "a", "arches": ["amd64"]}
    patience = {"LAPSTRAKE_FARM_DEAD_AFTER": "1s", "LAPSTRAKE_FARM_FENCE_AFTER": "0.5s"}
    with server.client() as client:
        assert client.post("/api/v1/workers/register", json=rival).status_code == 200
    with farm_worker(server.url, tmp_path, variables=patience) as worker:
        assert worker.wait() == 31
        assert "another worker called w1 is here" in worker.said()
        assert "--name" in worker.said()


_NEXT = "import lapstrake.farm.model.protocol as told\ntold.PROTOCOL += 1\n"


def test_a_worker_ends_when_its_server_speaks_another_protocol(tmp_path: Path) -> None:
    """Server and worker of one version; then the server is upgraded to one that speaks the next."""
    work_dir, upgrade = tmp_path / "server", tmp_path / "upgrade"
    upgrade.mkdir()
    (upgrade / "sitecustomize.py").write_text(_NEXT)
    settings = ("farm.heartbeat=0.5s", engine_setting(work_dir))
    with farm_server(work_dir, settings=settings) as server:
        with farm_worker(server.url, work_dir, "--embedded") as worker, server.client() as client:
            until(lambda: client.get("/api/v1/workers/w1").status_code == 200)
            server.stop()
            path = os.pathsep.join([str(upgrade), str(SOURCE)])
            listen = f"127.0.0.1:{server.port}"
            with farm_server(
                work_dir, settings=settings, listen=listen, variables={"PYTHONPATH": path}
            ):
                assert worker.wait() == VersionError.exit_code
                facts = {"name": "w2", "incarnation": "a", "arches": ["amd64"], "protocol": 1}
                refused = client.post("/api/v1/workers/register", json=facts)
        told = "worker w1 speaks protocol 1, the server 2"
        assert [told in line for line in worker.said().splitlines()].count(True) == 1
        assert "Upgrade the worker" in worker.said()
        assert "Traceback" not in worker.said()
        assert refused.status_code == 426
        assert refused.headers["Upgrade"] == "lapstrake-worker/2"
