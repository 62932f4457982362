"""The examples for a farm's users: their steps are run, on a real server."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from farm_hand import ENGINE, HandWorker
from farm_server import FarmServer, farm_server
from roots import cli_command, cli_environment

_EXAMPLES = Path(__file__).parents[3] / "examples" / "farm"
_BUNDLE = '[package]\nname = "greet"\nversion = "1"\n\n[steps]\nbuild = "true"\n'


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    settings = (ENGINE, "farm.webhook_private=true")
    with farm_server(tmp_path_factory.mktemp("farm"), settings=settings) as running:
        yield running


def steps_of(name: str) -> list[str]:
    """What a CI's file runs, without what installs us."""
    document: Any = yaml.safe_load((_EXAMPLES / name).read_text())
    if name.startswith("gitlab"):
        job = document["farm"]
        lines = [*job["before_script"], *job["script"], *job["after_script"]]
    else:
        steps = document["jobs"]["build"]["steps"]
        lines = [each["run"] for each in steps if "run" in each and "if" not in each]
    return [line for line in lines if not line.startswith("pip install")]


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_a_ci_job_submits_follows_and_downloads(
    name: str, server: FarmServer, hand: HandWorker, tmp_path: Path
) -> None:
    project = tmp_path / "greet"
    project.mkdir()
    (project / "lapstrake.toml").write_text(_BUNDLE + f"# for {name}\n")
    program = tmp_path / "bin" / "lapstrake"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {shlex.join(cli_command())} "$@"\n')
    program.chmod(0o755)
    variables = cli_environment(tmp_path, LAPSTRAKE_SERVER=server.url)
    variables["PATH"] = f"{program.parent}:{variables['PATH']}"

    def run(step: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-e", "-c", step], cwd=project, env=variables, capture_output=True,
            text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{step}: {done.stderr}"
        return done

    submit, follow, *after = steps_of(name)
    run(submit)
    task = int((project / "task.txt").read_text())

    def play() -> None:
        time.sleep(0.5)
        hand.claim(task)
        hand.write(task, "building\n")
        hand.finish(task, files={"greet.buildinfo": name.encode()})

    player = threading.Thread(target=play)
    player.start()
    done = run(follow)
    player.join()
    assert done.stdout == "building\n"
    assert (project / "out" / "greet.buildinfo").read_text() == name
    for step in after:
        run(step)


@contextmanager
def receiver(secret: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    process = subprocess.Popen(
        [sys.executable, str(_EXAMPLES / "webhook_receiver.py"), "0"],
        env={**os.environ, "LAPSTRAKE_WEBHOOK_SECRET": secret},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        port = process.stdout.readline().split()[-1]
        yield f"http://127.0.0.1:{port}/hook", process
    finally:
        process.kill()
        process.communicate()


def test_the_receiver_believes_the_farm_and_nobody_else(
    server: FarmServer, hand: HandWorker
) -> None:
    client = hand.client
    with receiver("secret of ours") as (url, process):
        for timestamp in ("0", str(int(time.time())), "soon"):
            forged = client.post(
                url,
                content=b"{}",
                headers={"Lapstrake-Timestamp": timestamp, "Lapstrake-Signature": "v1=00"},
            )
            assert forged.status_code == 401
        body = {"url": url, "events": ["task.cancelled"], "secret": "secret of ours"}
        made = client.post("/api/v1/webhooks", json=body)
        assert made.status_code == 201, made.text
        spec = {"name": "told", "source": "apt:told", "branch": "stable"}
        task = client.post("/api/v1/tasks", json={"spec": spec}).json()["id"]
        client.post(f"/api/v1/tasks/{task}/cancel", json={})
        assert process.stdout is not None
        words = process.stdout.readline().split(maxsplit=2)
        assert words[1] == "task.cancelled"
        assert f'"task": {task}' in words[2]
        client.delete(f"/api/v1/webhooks/{made.json()['webhook']['id']}")


def test_prometheus_reads_what_the_rules_ask_for(hand: HandWorker) -> None:
    scraped = hand.client.get("/metrics").text
    rules = yaml.safe_load((_EXAMPLES / "prometheus" / "alerts.yml").read_text())
    expressions = [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    names = {
        word.split("{")[0].removesuffix("_total")
        for expression in expressions
        for word in expression.replace("(", " ").replace(")", " ").replace("[", " ").split()
        if word.startswith("lapstrake_")
    }
    assert len(names) >= 6
    for name in names:
        assert f"# TYPE {name}" in scraped, name
    assert yaml.safe_load((_EXAMPLES / "prometheus" / "scrape.yml").read_text())
