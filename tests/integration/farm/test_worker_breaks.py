"""What a worker does when others break: servers, tokens, disks."""

from __future__ import annotations

import signal
from pathlib import Path

from farm_server import farm_server
from farm_worker import engine_setting, farm_worker, pack, submit, until, wait_for
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


def test_a_worker_without_a_good_token_ends(tmp_path: Path) -> None:
    variables = {"LAPSTRAKE_TOKEN": "lst_wrong"}
    settings = ("farm.worker_database=sqlite:////nowhere",)
    with (
        farm_server(tmp_path / "server", settings=settings) as server,
        farm_worker(server.url, tmp_path, variables=variables) as worker,
    ):
        assert worker.wait() == 31
        assert "token" in worker.said()
        assert "Traceback" not in worker.said()


def test_a_worker_takes_nothing_on_a_full_disk(work_dir: Path) -> None:
    settings = ("farm.heartbeat=0.5s", "farm.disk_low=200MiB", engine_setting(work_dir))
    low = {"LAPSTRAKE_FARM_DISK_LOW": "9000TiB"}
    archive = pack(Shop(work_dir=work_dir).bundle("large"))
    with (
        farm_server(work_dir, settings=settings) as server,
        server.client() as client,
        farm_worker(server.url, work_dir, "--embedded", variables=low) as worker,
    ):
        until(lambda: client.get("/api/v1/workers").json()["items"])
        task = submit(client, archive)
        until(lambda: client.get("/api/v1/workers/w1").json()["state"] == "draining")
        assert not worker.slots()
        assert wait_for(client, task, "queued")


def test_a_worker_ends_when_another_has_its_name(tmp_path: Path) -> None:
    settings = ("farm.worker_database=sqlite:////nowhere", "farm.dead_after=1h")
    rival = {"name": "w1", "incarnation": "a", "arches": ["amd64"]}
    with farm_server(tmp_path / "server", settings=settings) as server, server.client() as client:
        assert client.post("/api/v1/workers/register", json=rival).status_code == 200
        patience = {"LAPSTRAKE_FARM_DEAD_AFTER": "1s", "LAPSTRAKE_FARM_FENCE_AFTER": "0.5s"}
        with farm_worker(server.url, tmp_path, variables=patience) as worker:
            assert worker.wait() == 31
            assert "there is another worker w1" in worker.said()
            assert "--name" in worker.said()
