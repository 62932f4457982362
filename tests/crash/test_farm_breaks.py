"""A farm whose disks fill up, whose connections break off, and whose branches go away."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from breaking_proxy import breaking_proxy
from farm_server import FarmServer, farm_server
from farm_worker import FarmWorker, engine_setting, farm_worker, pack, submit, until, wait_for
from lapstrake.errors import StoreError
from roots import clone
from shop import Shop, content, file_of
from trouble import small_disk

_MIB = 1 << 20
_STORE = Path(".builder/store/workspaces")


@dataclass(frozen=True, kw_only=True)
class Farm:
    """A server whose own disk is small, and the home of a worker that has a disk of its own."""

    server: FarmServer
    client: httpx2.Client
    shop: Shop
    disk: Path
    home: Path

    def log(self, task: int) -> str:
        return self.client.get(f"/api/v1/tasks/{task}/log").raise_for_status().text


@pytest.fixture(scope="module")
def farm(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("farm")
    work_dir = clone(base_work_dir, folder / "work")
    home = folder / "home"
    clone(base_work_dir, home / "worker")
    settings = ("farm.heartbeat=0.5s", "farm.disk_low=1M", engine_setting(work_dir))
    with (
        small_disk(work_dir / "farm", "64m", kind="tmpfs") as disk,
        farm_server(work_dir, settings=settings) as server,
        server.client() as client,
    ):
        shop = Shop(work_dir=work_dir)
        yield Farm(server=server, client=client, shop=shop, disk=disk, home=home)


@pytest.fixture(scope="module")
def worker(farm: Farm) -> Iterator[FarmWorker]:
    """Takes all that waits from its first use on."""
    with farm_worker(farm.server.url, farm.home) as worker:
        yield worker


def test_a_branch_that_vanishes_while_tasks_wait(
    farm: Farm, request: pytest.FixtureRequest
) -> None:
    branch = farm.shop.branch()
    (lost, kept) = (
        submit(farm.client, pack(farm.shop.bundle(f"on-{name}")), branch=name)
        for name in (branch, "stable")
    )
    spec = {"source": "apt:hello", "name": "second", "branch": branch}
    members = [
        {"name": "first", "spec": farm.client.get(f"/api/v1/tasks/{lost}").json()["spec"]},
        {"name": "second", "spec": spec, "needs": ["first"]},
    ]
    group = farm.client.post("/api/v1/groups", json={"name": "both", "members": members}).json()
    (farm.shop.work_dir / f"conf/source_lists/{branch}.sources").unlink()
    request.getfixturevalue("worker")
    status = wait_for(farm.client, lost)
    assert wait_for(farm.client, kept)["state"] == "success"
    assert status["state"] == "failed"
    assert branch in status["reason"]
    told = farm.client.get(f"/api/v1/groups/{group['id']}").json()
    assert told["state"] == "failed"
    assert [each["state"] for each in told["members"]] == ["failed", "skipped"]


def test_a_server_whose_disk_is_full_for_a_while(farm: Farm, worker: FarmWorker) -> None:
    lines = "for n in $(seq 100); do echo line $n; echo $pad; sleep 0.04; done"
    lines = f"pad={'x' * 500}; {lines}"
    archive = pack(farm.shop.bundle("patient", steps={"build": lines}))
    ballast = farm.disk / "ballast"
    task = submit(farm.client, archive)
    until(lambda: "line 1\n" in farm.log(task), 60)
    _fill(ballast)
    refused = farm.client.post("/task")
    assert (refused.status_code, refused.json()["type"]) == (507, "/problems/no-room")
    until(lambda: "/log 507" in farm.server.said(), 30)
    ballast.unlink()
    status = wait_for(farm.client, task)
    assert (status["state"], status["attempt"]) == ("success", 1)
    said = [line for line in farm.log(task).splitlines() if line.startswith("line ")]
    assert said == [f"line {n}" for n in range(1, 101)]
    assert "Traceback" not in farm.server.said()


def _fill(ballast: Path) -> None:
    """Leave no byte on its disk."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(_MIB))


def test_a_worker_whose_disk_fills_up(farm: Farm, worker: FarmWorker) -> None:
    fill = pack(farm.shop.bundle("big", steps={"build": "head -c 40M /dev/urandom > /var/tmp/x"}))
    workspaces = farm.home / "worker" / _STORE
    with small_disk(workspaces, "20m", kind="tmpfs"):
        task = submit(farm.client, fill)
        status = wait_for(farm.client, task)
        assert (status["state"], status["exit_code"]) == ("failed", StoreError.exit_code), status
        assert "No space left" in status["reason"] + farm.log(task)
        assert list(workspaces.iterdir()) == []
        small = submit(farm.client, pack(farm.shop.bundle("small")))
        assert wait_for(farm.client, small)["state"] == "success"


def test_connections_that_break_off(farm: Farm) -> None:
    data = os.urandom(5 * _MIB)
    bundle = farm.shop.bundle("heavy", install='mkdir -p "$DESTDIR/opt"; cp data "$DESTDIR/opt"')
    (bundle / "data").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    with (bundle / "lapstrake.toml").open("a") as file:
        file.write(f'[[source]]\nurl = "data"\nsha256 = "{digest}"\nunpack = false\n')
    with (
        breaking_proxy(farm.server.port, down=2 * _MIB, up=2 * _MIB) as proxy,
        farm_worker(proxy.url, farm.home, "--capability", "far", name="far"),
    ):
        task = submit(farm.client, pack(bundle), requires={"capabilities": ["far"]})
        status = wait_for(farm.client, task)
    assert (status["state"], status["attempt"]) == ("success", 1), farm.log(task)
    assert proxy.cuts >= 4, "two of the bundle, two of the package"
    (made,) = (farm.shop.work_dir / "output/stable").rglob("heavy_*.deb")
    assert "/opt/data" in content(made)
    assert file_of(made, "/opt/data") == data
