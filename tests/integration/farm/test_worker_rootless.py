"""A worker of an ordinary user, kept for a pool: what it builds, and what it keeps of a failure."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from farm_postgres import Postgres
from farm_server import farm_server
from farm_worker import farm_worker, pack, submit, wait_for
from lapstrake.farm.operations.roles import make_worker_role
from roots import clone
from shop import Shop

_POOL = "ordinary"


@dataclass(frozen=True, kw_only=True)
class Farm:
    """A farm whose only worker is an ordinary user's."""

    client: httpx2.Client
    shop: Shop

    def submit(self, name: str, build: str, **spec: Any) -> int:
        """Give it a bundle whose step ``build`` runs some lines."""
        return submit(self.client, pack(self.shop.bundle(name, steps={"build": build})), **spec)


@pytest.fixture
def farm(
    base_work_dir: Path, postgres: Postgres, user_dir: tuple[str, Path], tmp_path: Path
) -> Iterator[Farm]:
    user, home = user_dir
    work_dir = clone(base_work_dir, tmp_path / "server")
    url = postgres.new_database()
    settings = ("farm.heartbeat=0.5s", f"farm.worker_database={make_worker_role(url, 'ordinary')}")
    with (
        farm_server(work_dir, database=url, settings=settings) as server,
        server.client() as client,
        farm_worker(server.url, home, "--pool", _POOL, name="plain", user=user),
    ):
        yield Farm(client=client, shop=Shop(work_dir=work_dir))


def test_a_pool_of_an_ordinary_user(farm: Farm) -> None:
    other = farm.submit("other", "true")
    good = farm.submit("good", "head -c 2000000 /dev/urandom > file", requires=_asking())
    bad = farm.submit(
        "bad", "umask 077; echo why > why; ln -s /etc/hostname out; exit 3",
        requires=_asking(), keep_failed=True,
    )  # fmt: skip
    built = wait_for(farm.client, good, seconds=120)
    assert built["state"] == "success", farm.client.get(f"/api/v1/tasks/{good}/log").text or built
    (attempt,) = farm.client.get(f"/api/v1/tasks/{good}/attempts").json()
    assert attempt["worker"] == "plain"
    assert 2_000_000 < attempt["peaks"]["disk"] < 50_000_000
    assert (attempt["peaks"]["received"], attempt["peaks"]["sent"]) == (0, 0)

    assert wait_for(farm.client, bad, seconds=120)["state"] == "failed"
    (kept,) = farm.client.get(f"/api/v1/tasks/{bad}/artifacts").json()
    assert kept["name"] == "bad.buildroot.tar.gz"
    archive = farm.client.get(f"/api/v1/tasks/{bad}/artifacts/{kept['name']}").content
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        found = {Path(entry.name).name: entry for entry in tar}
        assert {entry.name.split("/")[0] for entry in tar} == {"buildroot"}
        why = tar.extractfile(found["why"])
        assert why is not None
        assert why.read() == b"why\n", "nobody else may read it, and it is there"
    assert found["out"].linkname == "/etc/hostname"

    said = farm.client.get(f"/api/v1/tasks/{other}/why").raise_for_status().json()
    refused = f"worker plain cannot: it is kept for tasks that ask for {_POOL}"
    assert refused in [each["reason"] for each in said]


def _asking() -> dict[str, list[str]]:
    return {"capabilities": [_POOL]}
