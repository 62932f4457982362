"""A farm of three machines on which everything fails that can, in the middle of a group."""

from __future__ import annotations

import os
import signal
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
from farm_worker import ENDED, FarmWorker, farm_worker, pack, running, until
from lapstrake.farm.operations.roles import make_worker_role
from lapstrake.names import BranchName
from lapstrake.repository.open import repository_of
from ports import free_port
from roots import clone, open_work_dir, run_cli
from shop import Shop, file_of

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

    def client(self, scope: str = "admin") -> httpx2.Client:
        """A client that may do what a scope allows."""
        headers = {"Authorization": f"Bearer {self.tokens[scope]}"}
        return httpx2.Client(
            base_url=f"http://{self.listen}", headers=headers, trust_env=False, timeout=30
        )

    def ask(self, path: str) -> Any:
        """What the server answers, when it does: it may be away for a while."""
        end = time.monotonic() + 60
        while True:
            try:
                with self.client() as client:
                    answer = client.get(f"/api/v1/{path}")
                if answer.status_code == 200:
                    return answer.json()
                assert answer.status_code == 503, answer.text
            except httpx2.TransportError:
                pass
            assert time.monotonic() < end, f"{path}: no answer"
            time.sleep(0.1)


@contextmanager
def started(base_work_dir: Path, folder: Path) -> Iterator[Farm]:
    """All of it but the server and the workers, of which the last one's disk is empty."""
    with (
        running_network(*WORKERS) as network,
        running_postgres(address=network.address) as postgres,
    ):
        work_dir = clone(base_work_dir, folder / "server")
        for name in WORKERS[:-1]:
            clone(base_work_dir, folder / name / "worker")
        (folder / WORKERS[-1]).mkdir()
        url = postgres.new_database()
        settings = (f"farm.database={url}", f"farm.worker_database={make_worker_role(url, 'w')}")
        tokens = {}
        for scope in ("admin", "worker"):
            options = ["--set", settings[0], "farm", "token", "add", scope, "--scope", scope]
            made = run_cli(*options, work_dir=work_dir)
            assert made.ok, made.stderr
            tokens[scope] = made.stdout.strip()
        listen = f"{network.address}:{free_port(network.address)}"
        farm = Farm(
            network=network, postgres=postgres, work_dir=work_dir, folder=folder,
            settings=(*_QUICK, *settings), listen=listen, tokens=tokens,
        )  # fmt: skip
        with farm.life:
            yield farm


# a, b, c at once; d after a and b; e after c; f after all
NEEDS = {"a": [], "b": [], "c": [], "d": ["a", "b"], "e": ["c"], "f": ["d", "e"]}
# Those that are interrupted build for longer than all of them take to begin.
LINES = {"a": 40, "b": 40, "c": 40, "d": 20, "e": 1, "f": 1}
# What is installed where a member is built.
STANDS_ON = {"d": "a"}


def mark(name: str) -> str:
    """How long something sleeps in a member's build: as nothing else on this host does."""
    return f"300.{os.getpid()}{ord(name)}"


def bundle(farm: Farm, name: str) -> bytes:
    """A member's bundle: it builds for a while, and has processes besides."""
    lines = f"for n in $(seq {LINES[name]}); do echo line $n; sleep 0.1; done"
    build = f"setsid sleep {mark(name)} & {lines}; kill $!"
    below = STANDS_ON.get(name)
    says = f"cat /usr/share/fail-{below}/says" if below else "true"
    target = f'"$DESTDIR/usr/share/fail-{name}"'
    return pack(
        Shop(work_dir=farm.work_dir).bundle(
            f"fail-{name}",
            steps={"build": build},
            install=f"mkdir -p {target}; ({says}; echo {name}) > {target}/says",
            extra=f'[depends]\nbuild = ["fail-{below}"]' if below else "",
        )
    )


def submit(farm: Farm) -> dict[str, int]:
    """Give the farm the group; gives the members' tasks."""
    members = []
    with farm.client() as client:
        for name, needs in NEEDS.items():
            task = client.post("/task").raise_for_status().json()["id"]
            put = client.put(
                f"/task/{task}/build_bundle", content=bundle(farm, name),
                headers={"Content-Type": "application/x-tar"},
            )  # fmt: skip
            digest = put.raise_for_status().json()["spec"]["bundle"]
            spec = {"bundle": digest, "name": f"fail-{name}", "network": False}
            members.append({"name": name, "spec": spec, "needs": needs})
        group = {"name": "failures", "branch": "stable", "members": members}
        answer = client.post("/api/v1/groups", json=group)
        assert answer.status_code == 201, answer.text
        return {each["name"]: each["task"] for each in answer.json()["members"]}


@pytest.mark.slow
def test_whatever_fails_everything_is_built_once(base_work_dir: Path, tmp_path: Path) -> None:
    with started(base_work_dir, tmp_path) as farm:
        server = farm.serve()
        workers = {name: farm.work(name) for name in WORKERS}
        until(lambda: len(farm.ask("workers")["items"]) == len(WORKERS), 60)
        tasks = submit(farm)

        def state(name: str) -> str:
            return str(farm.ask(f"tasks/{tasks[name]}")["state"])

        def endings(name: str) -> list[str]:
            return [each["ending"] for each in farm.ask(f"tasks/{tasks[name]}/attempts")]

        dies, cut = _two_that_build(farm, tasks)
        workers[dies[1]].tell(signal.SIGKILL)
        farm.network.cut(cut[1])
        until(lambda: not running(mark(dies[0])))
        until(lambda: endings(cut[0])[:1] == ["lost"], 60)
        assert not running(mark(cut[0])) or len(endings(cut[0])) > 1, "cut off, it builds on"
        until(lambda: endings(dies[0])[:1] == ["lost"], 60)
        _refuses_what_comes_late(farm, tasks[cut[0]])
        farm.work(dies[1])
        until(lambda: "building" in {state(dies[0]), state(cut[0])}, 60)
        server.kill()
        farm.postgres.kill()
        farm.network.mend(cut[1])
        farm.postgres.start()
        server = farm.serve()
        until(lambda: state("d") == "building", _LONG)
        farm.postgres.restart()
        until(lambda: state("f") in ENDED, _LONG)

        assert {name: state(name) for name in NEEDS} == dict.fromkeys(NEEDS, "success"), (
            server.said()
        )
        for name, task in tasks.items():
            *lost, last = endings(name)
            assert (set(lost) <= {"lost"}, last) == (True, "success")
            _has_all_of_its_log(farm, task, name)
            _was_published_once(farm, task)
            assert not running(mark(name))
        _has_each_package_once(farm)
        until(lambda: {each["state"] for each in farm.ask("workers")["items"]} == {"online"})


def _two_that_build(farm: Farm, tasks: dict[str, int]) -> list[tuple[str, str]]:
    """Two members that are being built now, and their workers."""
    found: list[tuple[str, str]] = []

    def look() -> bool:
        told = [(name, farm.ask(f"tasks/{tasks[name]}")) for name in "abc"]
        found[:] = [(name, task["worker"]) for name, task in told if task["state"] == "building"]
        return len(found) > 1

    until(look, 60)
    return found[:2]


def _refuses_what_comes_late(farm: Farm, task: int) -> None:
    """The server takes nothing from an attempt that was lost."""
    attempt = farm.ask(f"tasks/{task}/attempts")[0]
    assert attempt["error"].endswith("is gone"), attempt
    path = f"/api/v1/tasks/{task}/attempts/1"
    with farm.client("worker") as client:
        for answer in (
            client.post(f"{path}/result", json={"ok": True}),
            client.patch(f"{path}/log", params={"offset": attempt["log_size"]}, content=b"late"),
        ):
            assert (answer.status_code, answer.json()["lost"]) == (409, True), answer.text


def _has_all_of_its_log(farm: Farm, task: int, name: str) -> None:
    """Each attempt's log has its lines from the first one on, the last attempt's has all."""
    attempts = farm.ask(f"tasks/{task}/attempts")
    with farm.client() as client:
        for attempt in attempts:
            log = client.get(f"/api/v1/tasks/{task}/log", params={"attempt": attempt["number"]})
            said = [line for line in log.text.splitlines() if line.startswith("line ")]
            whole = [f"line {number}" for number in range(1, LINES[name] + 1)]
            if attempt["ending"] == "success":
                assert said == whole
            elif said:  # its last line may have been cut off
                assert said[:-1] == whole[: len(said) - 1]


def _was_published_once(farm: Farm, task: int) -> None:
    kinds = [each["kind"] for each in farm.ask(f"tasks/{task}/events")["items"]]
    assert [kinds.count(f"task.{state}") for state in ("publishing", "success")] == [1, 1], kinds


def _has_each_package_once(farm: Farm) -> None:
    published = repository_of(open_work_dir(farm.work_dir), BranchName("stable"))
    assert published.verify() == ()
    assert [f"{each.package} {each.version}" for each in published.packages()] == [
        f"fail-{name} 1-1" for name in NEEDS
    ]
    (above,) = published.path.glob("**/fail-d_*.deb")
    assert file_of(above, "/usr/share/fail-d/says") == b"a\nd\n"
