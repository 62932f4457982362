"""Builds in containers, which are nobody's children: killed with their slot, or their task."""

from __future__ import annotations

import subprocess
from pathlib import Path

from farm_server import farm_server
from farm_worker import engine_setting, farm_worker, pack, running, submit, until
from shop import Shop

_MARK = "86431.7"


def test_containers_end_with_their_builds(work_dir: Path, docker_daemon: str) -> None:
    variables = {"DOCKER_HOST": docker_daemon, "LAPSTRAKE_RUNNER_NAME": "docker"}
    settings = ("farm.heartbeat=0.5s", "farm.disk_low=200MiB", engine_setting(work_dir))
    archive = pack(Shop(work_dir=work_dir).bundle("boxed", steps={"build": f"sleep {_MARK}"}))

    def containers() -> str:
        words = ["docker", "ps", "--quiet", "--filter", "label=lapstrake.worker=boxer"]
        env = {"DOCKER_HOST": docker_daemon, "PATH": "/usr/bin:/bin"}
        return subprocess.run(words, env=env, check=True, capture_output=True, text=True).stdout

    with (
        farm_server(work_dir, settings=settings) as server,
        server.client() as client,
        farm_worker(
            server.url, work_dir, "--embedded", name="boxer", variables=variables
        ) as worker,
    ):
        task = submit(client, archive)
        until(lambda: running(_MARK), 90)
        assert containers()
        samples = f"/api/v1/tasks/{task}/resources"
        until(lambda: client.get(samples).json()["samples"])
        (slot,) = worker.slots()
        slot.kill()
        until(lambda: not running(_MARK) and not containers())
        until(lambda: running(_MARK), 60)  # by another slot, again
        client.post(f"/api/v1/tasks/{task}/cancel", json={}).raise_for_status()
        until(lambda: not running(_MARK) and not containers())
