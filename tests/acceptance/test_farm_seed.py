"""Seven calls of ``curl``, from a bundle to its package; and what each says when it is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farm_server import FarmServer, farm_server
from roots import clone
from shop import EXAMPLES

_CURL = shutil.which("curl")
_SECONDS = 120.0
pytestmark = pytest.mark.skipif(_CURL is None, reason="needs curl")


@pytest.fixture(scope="module")
def farm(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    """A farm of one machine, as `lapstrake serve` makes it."""
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("seed") / "work")
    with farm_server(work_dir, slots=1, settings=("farm.upload_limit=4M",)) as server:
        yield server


def curl(farm: FarmServer, *words: str) -> tuple[int, Any]:
    """What curl prints: the status and the document."""
    ran = subprocess.run(
        ["curl", "-sS", "-w", "\n%{http_code}", *words[:-1], farm.url + words[-1]],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    text, _, status = ran.stdout.rpartition("\n")
    return int(status), json.loads(text) if text.startswith(("{", "[", '"')) else text


def as_json(value: object) -> tuple[str, ...]:
    return ("-H", "Content-Type: application/json", "-d", json.dumps(value))


def bundle(folder: Path) -> Path:
    """An archive of a native bundle."""
    archive = folder / "greeting.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(EXAMPLES / "native" / "greeting", "greeting")
    return archive


def refused(answer: tuple[int, Any], status: int, word: str) -> None:
    """A problem document of this status, which says what is wrong and what to do."""
    found, document = answer
    assert found == status, document
    assert document["status"] == status
    assert word in document["detail"], document
    assert document["resolution"]
    assert document["type"].startswith("/problems/")


def test_seven_calls_from_a_bundle_to_a_package(farm: FarmServer, tmp_path: Path) -> None:
    status, task = curl(farm, "-X", "POST", "/task")
    assert (status, task["state"]) == (201, "new")
    path = f"/task/{task['id']}"

    status, listed = curl(farm, "/task?limit=1")
    assert (status, listed["items"][0]["id"]) == (200, task["id"])

    archive = bundle(tmp_path)
    status, task = curl(farm, "-T", str(archive), f"{path}/build_bundle")
    assert (status, task["spec"]["name"]) == (200, "greeting"), task

    status, task = curl(farm, "-X", "PUT", *as_json({"branch": "stable"}), f"{path}/branch")
    assert (status, task["spec"]["branch"]) == (200, "stable"), task

    status, task = curl(farm, "-X", "PUT", f"{path}/build")
    assert status == 200, task

    ended = _ended(farm, path)
    assert ended["state"] == "success", (ended, farm.said()[-3000:])
    assert ended["exit_code"] == 0
    names = {each["name"]: each for each in ended["outputs"]}
    deb = next(name for name in names if name.endswith(".deb"))
    assert deb.startswith("greeting_1.0-1_all")

    status, idle = curl(farm, "/builder/status")
    assert (status, idle["workers"]) == (200, 1)
    assert idle["state"] in {"idle", "building", "loading OS", "updating OS"}

    fetched = tmp_path / deb
    curl(farm, "-o", str(fetched), f"/api/v1/tasks/{task['id']}/artifacts/{deb}")
    said = subprocess.run(["dpkg-deb", "-f", fetched, "Package"], capture_output=True, check=True)
    assert said.stdout == b"greeting\n"
    status, packages = curl(farm, "/api/v1/branches/stable/packages?text=greeting")
    assert [each["name"] for each in packages["items"]] == ["greeting"]
    again = curl(farm, "-X", "PUT", f"{path}/build")
    refused(again, 409, "started")


def _ended(farm: FarmServer, path: str) -> dict[str, Any]:
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        document: dict[str, Any] = curl(farm, f"{path}/status")[1]
        if document["state"] in {"success", "failed", "error", "cancelled", "skipped"}:
            return document
        time.sleep(0.2)
    raise AssertionError(f"{document} {farm.said()[-3000:]}")


def test_each_wrong_call_says_what_to_do(farm: FarmServer, tmp_path: Path) -> None:
    task = curl(farm, "-X", "POST", "/task")[1]["id"]
    path = f"/task/{task}"
    bodies = {
        "build_bundle": ("-X", "PUT", *as_json({"source": "apt:hello"})),
        "branch": ("-X", "PUT", *as_json({"branch": "stable"})),
        "build": ("-X", "PUT"),
        "status": (),
    }
    for call, words in bodies.items():
        refused(curl(farm, *words, f"/task/999999/{call}"), 404, "999999")
        assert curl(farm, *words, f"/task/abc/{call}")[0] == 422
    assert curl(farm, "-X", "DELETE", "/task")[0] == 405
    assert curl(farm, "-X", "POST", *as_json({"colour": "red"}), "/task")[0] == 422
    assert curl(farm, "-X", "POST", *as_json({"priority": "high"}), "/task")[0] == 422
    assert curl(farm, "-X", "POST", *as_json({"priority": 1000}), "/task")[0] == 422
    assert curl(farm, "/task?limit=100000")[0] == 422
    assert curl(farm, "/task?state=tired")[0] == 422

    refused(curl(farm, "-X", "PUT", f"{path}/build"), 409, "lacks a bundle and a branch")
    refused(
        curl(farm, "-X", "PUT", *as_json({"branch": "nowhere"}), f"{path}/branch"), 422, "nowhere"
    )
    broken = tmp_path / "broken.tar.gz"
    broken.write_bytes(bundle(tmp_path).read_bytes()[:60])
    refused(curl(farm, "-T", str(broken), f"{path}/build_bundle"), 422, "")
    refused(curl(farm, "-X", "PUT", "-d", "", f"{path}/build_bundle"), 422, "no body")
    refused(
        curl(farm, "-X", "PUT", *as_json({"source": "ftp:/x"}), f"{path}/build_bundle"), 422, "ftp"
    )
    refused(curl(farm, "-X", "PUT", *as_json({}), f"{path}/build_bundle"), 422, "source")
    missing = {"digest": "sha256:" + "0" * 64}
    assert curl(farm, "-X", "PUT", *as_json(missing), f"{path}/build_bundle")[0] in {404, 422}
    large = tmp_path / "large.tar"
    with large.open("wb") as file:
        file.truncate(5 << 20)
    refused(curl(farm, "-T", str(large), f"{path}/build_bundle"), 413, "4.0 MiB")
    chunked = ("-T", str(large), "-H", "Transfer-Encoding: chunked")
    refused(curl(farm, *chunked, f"{path}/build_bundle"), 413, "4.0 MiB")
    assert curl(farm, f"{path}/status")[1]["state"] == "new"
    assert "Traceback" not in farm.said()
