"""Every kind of storage, behind the same tests."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.local import LocalBlobs
from lapstrake.blobs.remote import remote_blobs

_SECONDS = 60.0
_COUNT = itertools.count()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a server that speaks S3, and what Google calls its XML interface."""
    pytest.importorskip("moto.server", reason="needs moto's server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("storage_server.py"), str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"},
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        assert httpx2.put(f"{url}/lapstrake", trust_env=False).is_success
        yield url
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            httpx2.get(url, trust_env=False)
            return
        except httpx2.TransportError:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.1)


@pytest.fixture
def s3_environment(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Amazon's own client would take from the environment, too."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def gs_environment(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service account's key that sends Google's client to our server."""
    key = {"gcs_base_url": s3_server, "disable_oauth": True}
    names = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", json.dumps({**key, **names}))


@pytest.fixture(params=["local", "s3", "gs"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """An empty store of each kind."""
    if request.param == "local":
        return LocalBlobs(tmp_path / "store")
    request.getfixturevalue(f"{request.param}_environment")
    url = f"{request.param}://lapstrake/{os.getpid()}/{next(_COUNT)}"
    return remote_blobs(url, scratch=tmp_path / "scratch")
