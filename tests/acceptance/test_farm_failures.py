"""A farm of three machines on which everything fails that can, in the middle of a group."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from farm_network import Network, running_network
from farm_postgres import Postgres, running_postgres
from farm_server import FarmServer, farm_server
from farm_worker import FarmWorker, farm_worker, pack, running, until
from lapstrake.farm.operations.roles import make_worker_role
from roots import clone, run_cli
from shop import Shop

WORKERS = ("one", "two", "three")
_QUICK = (
    "farm.heartbeat=0.5s", "farm.fence_after=4s", "farm.dead_after=6s", "farm.attempts=8",
)  # fmt: skip
_LONG = 240.0


@dataclass(kw_only=True)
class Farm:
    """Machines, a database and a server that come and go."""

    network: Network
    postgres: Postgres
    work_dir: Path
    folder: Path
    settings: tuple[str, ...]
    listen: str
    tokens: dict[str, str]
    life: ExitStack = field(default_factory=ExitStack)

    def serve(self) -> FarmServer:
        """Start the server; a second one goes on where the first was killed."""
        return self.life.enter_context(
            farm_server(self.work_dir, listen=self.listen, settings=self.settings)
        )

    def work(self, name: str) -> FarmWorker:
        """Start a worker on its machine."""
        home = self.folder / name
        return self.life.enter_context(
            farm_worker(
                f"http://{self.listen}",
                home,
                name=name,
                prefix=self.network.command(name),
                variables={"LAPSTRAKE_TOKEN": self.tokens["worker"]},
            )
        )

    def ask(self, path: str) -> Any:
        """What the server answers, when it does: it may be away for a while."""
        headers = {"Authorization": f"Bearer {self.tokens['admin']}"}
        address = f"http://{self.listen}/api/v1/{path}"
        end = time.monotonic() + 60
        while True:
            try:
                answer = httpx2.get(address, headers=headers, trust_env=False, timeout=30)
                if answer.status_code == 200:
                    return answer.json()
                assert answer.status_code == 503, answer.text
            except httpx2.TransportError:
                pass
            assert time.monotonic() < end, f"{path}: no answer"
            time.sleep(0.1)


@contextmanager
def started(base_work_dir: Path, folder: Path) -> Iterator[Farm]:
    """All of it but the server and the workers."""
    with (
        running_network(*WORKERS) as network,
        running_postgres(address=network.address) as postgres,
    ):
        work_dir = clone(base_work_dir, folder / "server")
        for (
            name
        ) in WORKERS:  # with the server's layers; that they can be fetched is tested elsewhere
            clone(base_work_dir, folder / name / "worker")
        url = postgres.new_database()
        settings = (f"farm.database={url}", f"farm.worker_database={make_worker_role(url, 'w')}")
        tokens = {}
        for scope in ("admin", "worker"):
            options = ["--set", settings[0], "farm", "token", "add", scope, "--scope", scope]
            made = run_cli(*options, work_dir=work_dir)
            assert made.ok, made.stderr
            tokens[scope] = made.stdout.strip()
        with socket.create_server((network.address, 0)) as free:
            listen = f"{network.address}:{free.getsockname()[1]}"
        farm = Farm(
            network=network, postgres=postgres, work_dir=work_dir, folder=folder,
            settings=(*_QUICK, *settings), listen=listen, tokens=tokens,
        )  # fmt: skip
        with farm.life:
            yield farm


# a, b, c at once; d after a and b; e after c; f after all
NEEDS = {"a": [], "b": [], "c": [], "d": ["a", "b"], "e": ["c"], "f": ["d", "e"]}
# a and b would build for longer than it takes to give up their workers
SECONDS = {"a": 10, "b": 11, "c": 3, "d": 2, "e": 1, "f": 1}


def sleep_of(name: str) -> str:
    """How long a member's build sleeps: a number that no other process on the host has."""
    return f"{SECONDS[name]}.{os.getpid()}"


def submit(farm: Farm) -> int:
    """Give the farm the group; gives its number."""
    shop = Shop(work_dir=farm.work_dir)
    headers = {"Authorization": f"Bearer {farm.tokens['admin']}"}
    members = []
    with httpx2.Client(
        base_url=f"http://{farm.listen}", headers=headers, trust_env=False
    ) as client:
        for name, needs in NEEDS.items():
            archive = pack(shop.bundle(f"fail-{name}", steps={"build": f"sleep {sleep_of(name)}"}))
            task = client.post("/task").raise_for_status().json()["id"]
            put = client.put(
                f"/task/{task}/build_bundle", content=archive,
                headers={"Content-Type": "application/x-tar"},
            )  # fmt: skip
            bundle = put.raise_for_status().json()["spec"]["bundle"]
            spec = {"bundle": bundle, "name": f"fail-{name}", "network": False}
            members.append({"name": name, "spec": spec, "needs": needs})
        group = {"name": "failures", "branch": "stable", "members": members}
        answer = client.post("/api/v1/groups", json=group)
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])


@pytest.mark.slow
def test_whatever_fails_everything_is_built_once(base_work_dir: Path, tmp_path: Path) -> None:
    with started(base_work_dir, tmp_path) as farm:
        server = farm.serve()
        workers = {name: farm.work(name) for name in WORKERS}
        until(lambda: len(farm.ask("workers")["items"]) == len(WORKERS), 60)
        group = submit(farm)

        def member(name: str) -> Any:
            members = farm.ask(f"groups/{group}")["members"]
            task = next(each["task"] for each in members if each["name"] == name)
            return farm.ask(f"tasks/{task}")

        def attempts(name: str) -> Any:
            return farm.ask(f"tasks/{member(name)['id']}/attempts")

        until(lambda: all(member(name)["state"] == "building" for name in "abc"), 60)
        builders = {name: member(name)["worker"] for name in "abc"}
        assert sorted(builders.values()) == sorted(WORKERS)
        workers[builders["a"]].tell(signal.SIGKILL)
        farm.network.cut(builders["b"])
        until(lambda: not running(sleep_of("a")), 5)
        until(lambda: member("c")["state"] == "success", 60)
        until(lambda: [each["ending"] for each in attempts("b")][:1] == ["lost"], 60)
        assert not running(sleep_of("b")) or len(attempts("b")) > 1, "it was cut off, and builds on"
        until(lambda: {member("a")["state"], member("b")["state"]} & {"building"}, 60)
        workers[builders["a"]] = farm.work(builders["a"])
        farm.network.mend(builders["b"])
        server.kill()
        farm.postgres.kill()
        farm.postgres.start()
        server = farm.serve()
        until(lambda: member("d")["state"] == "building", _LONG)
        farm.postgres.restart()
        until(lambda: farm.ask(f"groups/{group}")["state"] != "running", _LONG)

        told = farm.ask(f"groups/{group}")
        assert told["state"] == "success", (told, server.said())
        published = (farm.work_dir / "output" / "stable").rglob("fail-*.deb")
        assert sorted(file.name for file in published) == [
            f"fail-{name}_1-1_all.deb" for name in NEEDS
        ]
        endings = {name: [each["ending"] for each in attempts(name)] for name in NEEDS}
        assert all(each[-1] == "success" for each in endings.values()), endings
        assert all(each == "lost" for name in "abd" for each in endings[name][:-1]), endings
        assert [len(endings[name]) for name in "cef"] == [1, 1, 1], endings
