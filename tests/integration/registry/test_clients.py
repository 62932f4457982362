"""Real clients: skopeo, podman and docker push, pull, and log in."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import bcrypt
import pytest

from lapstrake.host.process import find_program
from registry_server import Served, manifest_of, push_blob, put_manifest, served, sha256

_USER, _PASSWORD = "ada", "correct horse"


@pytest.fixture(scope="module")
def registry(memory: Path) -> Iterator[Served]:
    """Everybody may pull, and one may push: what asks most of clients."""
    folder = memory / "clients"
    folder.mkdir()
    hashed = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{_USER}:{hashed}\n")
    settings = (f"registry.htpasswd={folder}/htpasswd", "registry.anonymous_pull=true")
    with served(folder, settings=settings) as running:
        yield running


@pytest.fixture(scope="module")
def image(registry: Served) -> str:
    """A tiny image that is there already; its digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        header = tarfile.TarInfo("hello.txt")
        header.size = 6
        tar.addfile(header, io.BytesIO(b"hello\n"))
    layer = gzip.compress(packed.getvalue(), mtime=0)
    diff_id = f"sha256:{hashlib.sha256(packed.getvalue()).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [diff_id]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": rootfs}).encode()
    data = manifest_of(config, layer)
    with registry.client(auth=(_USER, _PASSWORD)) as client:
        for blob in (config, layer):
            push_blob(client, "push/tiny", blob)
        assert put_manifest(client, "push/tiny", "v1", data).status_code == 201
    return sha256(data)


def _run(*words: str | Path, env: Mapping[str, str] | None = None, ok: bool = True) -> str:
    done = subprocess.run(
        words, env={**os.environ, **(env or {})}, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode == 0) == ok, f"{words}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def _digest(registry: Served, name: str, tag: str) -> str:
    with registry.client() as client:
        found = client.head(f"/v2/{name}/manifests/{tag}")
        assert found.status_code == 200
        return found.headers["docker-content-digest"]


def test_skopeo(registry: Served, image: str, tmp_path: Path) -> None:
    if find_program("skopeo") is None:
        pytest.skip("needs skopeo")
    copy = ("skopeo", "--insecure-policy", "copy")
    auth = {"REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    plain = ("--src-tls-verify=false", "--dest-tls-verify=false")
    here, layout = f"docker://{registry.host}/push", f"oci:{tmp_path}/layout:v1"
    _run(*copy, *plain, f"{here}/tiny:v1", layout, env=auth)
    said = _run(*copy, *plain, layout, f"{here}/skopeo:v1", env=auth, ok=False)
    assert "authentication required" in said or "credentials" in said
    credentials = ("--dest-creds", f"{_USER}:{_PASSWORD}")
    _run(*copy, *plain, *credentials, layout, f"{here}/skopeo:v1", env=auth)
    assert _digest(registry, "push/skopeo", "v1") == image
    _run(*copy, *plain, *credentials, "--format=v2s2", layout, f"{here}/skopeo:docker", env=auth)
    tags = json.loads(_run("skopeo", "list-tags", "--tls-verify=false", f"{here}/skopeo", env=auth))
    assert tags["Tags"] == ["docker", "v1"]
    delete = ("skopeo", "delete", "--tls-verify=false", "--creds", f"{_USER}:{_PASSWORD}")
    _run(*delete, f"{here}/skopeo:docker", env=auth)
    with registry.client() as client:
        assert client.get("/v2/push/skopeo/tags/list").json()["tags"] == ["v1"]


def test_podman(
    registry: Served, image: str, podman_settings: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "auth.json").write_text("{}")
    env = {**podman_settings, "REGISTRY_AUTH_FILE": str(tmp_path / "auth.json")}
    _engine("podman", registry, env, "--tls-verify=false")
    assert _digest(registry, "push/tiny", "v1") == image


def test_docker(registry: Served, image: str, docker_daemon: str, tmp_path: Path) -> None:
    env = {"DOCKER_HOST": docker_daemon, "DOCKER_CONFIG": str(tmp_path / "config")}
    _engine("docker", registry, env)
    assert _digest(registry, "push/tiny", "v1") == image


def _engine(program: str, registry: Served, env: Mapping[str, str], *plain: str) -> None:
    """Pull without credentials, fail to push, log in, push, pull that."""
    tiny, mine = f"{registry.host}/push/tiny:v1", f"{registry.host}/push/{program}:v1"
    _run(program, "pull", *plain, tiny, env=env)
    try:
        _run(program, "tag", tiny, mine, env=env)
        _run(program, "push", *plain, mine, env=env, ok=False)
        login = (program, "login", *plain, "-u", _USER, "-p")
        _run(*login, "wrong", registry.host, env=env, ok=False)
        _run(*login, _PASSWORD, registry.host, env=env)
        _run(program, "push", *plain, mine, env=env)
        _run(program, "rmi", tiny, mine, env=env)
        _run(program, "pull", *plain, mine, env=env)
        with registry.client() as client:
            assert client.get(f"/v2/push/{program}/tags/list").json()["tags"] == ["v1"]
    finally:
        subprocess.run(
            [program, "rmi", "-f", tiny, mine], env={**os.environ, **env}, capture_output=True
        )
