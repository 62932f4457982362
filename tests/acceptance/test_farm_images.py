"""A bundle sent to a farm, and docker's clients pull an image of it from the same address."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm_server import FarmServer, farm_server
from roots import clone, run_cli

_SKOPEO = shutil.which("skopeo")
pytestmark = pytest.mark.skipif(_SKOPEO is None, reason="needs skopeo")
_BUNDLE = """\
[package]
name = "salute"
version = "1"
description = "salutes"
maintainer = "Somebody <somebody@example.org>"
architecture = "all"
licence = "Apache-2.0"

[steps]
install = 'mkdir -p "$DESTDIR/usr/share" && echo farewell > "$DESTDIR/usr/share/salute"'
"""


@pytest.fixture(scope="module")
def farm(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    """A farm of one machine, whose images hold what is asked for only."""
    work_dir = clone(base_work_dir, tmp_path_factory.mktemp("images") / "work")
    with farm_server(work_dir, slots=1, settings=("images.always=",)) as server:
        yield server


@pytest.fixture(scope="module")
def built(farm: FarmServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of a package that a task of the farm has built."""
    folder = tmp_path_factory.mktemp("bundle") / "salute"
    folder.mkdir()
    (folder / "lapstrake.toml").write_text(_BUNDLE)
    words = ("task", "submit", "--wait", str(folder), "stable")
    sent = run_cli("--set", f"farm.server={farm.url}", *words, work_dir=farm.work_dir)
    assert sent.ok, sent.stderr + farm.said()[-3000:]
    return "salute"


def skopeo(*words: str, ok: bool = True) -> str:
    """What skopeo says."""
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True, timeout=120)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def files_of(image: Path) -> dict[str, bytes]:
    """The files of an image that skopeo put into a folder: those of all layers."""
    found: dict[str, bytes] = {}
    for layer in json.loads((image / "manifest.json").read_bytes())["layers"]:
        packed = (image / layer["digest"].removeprefix("sha256:")).read_bytes()
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isfile() else None
                if file is not None:
                    found[member.name] = file.read()
    return found


def test_what_a_task_built_is_pulled_from_the_same_server(
    farm: FarmServer, built: str, tmp_path: Path
) -> None:
    host = farm.url.removeprefix("http://")
    title = f"{built}:stable"
    plain = ("copy", "--src-no-creds", "--src-tls-verify=false")
    skopeo(*plain, f"docker://{host}/{title}", f"dir:{tmp_path / 'image'}")
    files = files_of(tmp_path / "image")
    assert files["usr/share/salute"] == b"farewell\n"

    with farm.client() as client:
        page = client.get("/images").text
        assert f'href="/images/{title}"' in page
        assert built in client.get(f"/images/{title}").text
        assert f"docker pull {host}/{title}" in client.get("/tasks/1").text
        assert f"docker pull {host}/{title}" in client.get("/branches/stable").text
        assert 'lapstrake_pulls_total{how="made"} 1.0' in client.get("/metrics").text
        made = client.get("/jobs/1")
        assert made.status_code == 200, made.text
        assert title in made.text
        with client.stream("GET", "/jobs/1/events") as events:
            log = "".join(events.iter_text())
        assert "event: end" in log


def test_with_tokens_nobody_pulls_without_one(farm: FarmServer, built: str, tmp_path: Path) -> None:
    host, secrets = farm.url.removeprefix("http://"), {}
    with farm.client() as client:
        made = client.post("/api/v1/tokens", json={"name": "root", "scope": "admin"})
        with farm.client(made.json()["secret"]) as root:
            for scope in ("read", "submit"):
                told = root.post("/api/v1/tokens", json={"name": scope, "scope": scope})
                secrets[scope] = f"anybody:{told.json()['secret']}"
    name, look = f"docker://{host}/{built}:stable", ("inspect", "--tls-verify=false")
    assert "log in with the token" in skopeo(*look, "--no-creds", name, ok=False)
    assert built in skopeo(*look, "--creds", secrets["read"], name)

    image = tmp_path / "image"
    plain = ("copy", "--src-tls-verify=false", "--dest-tls-verify=false")
    skopeo(*plain, "--src-creds", secrets["read"], name, f"dir:{image}")
    pushed = f"docker://{host}/push/{built}:1"
    words = (*plain, "--dest-creds", secrets["read"], f"dir:{image}", pushed)
    assert "needs the scope submit" in skopeo(*words, ok=False)
    skopeo(*plain, "--dest-creds", secrets["submit"], f"dir:{image}", pushed)
    assert built in skopeo(*look, "--creds", secrets["read"], pushed)
    assert "Traceback" not in farm.said()
