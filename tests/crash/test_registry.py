"""A registry that is killed at any moment: what it shows is whole, and pushes go on."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from lapstrake.blobs.local import LocalBlobs
from lapstrake.registry.protocol.repositories import digest_bytes
from registry_server import Served, push_image, served, sha256

_NAME = "push/crash"
_ROUNDS = 6


def _push_until_killed(running: Served, numbers: Iterator[int], pushed: dict[str, str]) -> None:
    """Push images; `pushed` gets what was answered with success."""
    with running.client() as client:
        try:
            for number in numbers:
                layer = os.urandom(random.randrange(1, 3 << 20))
                pushed[f"v{number}"] = push_image(client, _NAME, f"v{number}", layer)
        except httpx2.TransportError:
            return


def _check(client: httpx2.Client, pushed: dict[str, str]) -> None:
    """All that was answered with success is there; all that is shown is whole."""
    found = client.get(f"/v2/{_NAME}/tags/list")
    tags = found.json()["tags"] if found.status_code == 200 else []
    assert set(pushed) <= set(tags)
    for tag in tags:
        manifest = client.get(f"/v2/{_NAME}/manifests/{tag}")
        assert pushed.get(tag, sha256(manifest.content)) == sha256(manifest.content)
        document = manifest.json()
        for part in (document["config"], *document["layers"]):
            blob = client.get(f"/v2/{_NAME}/blobs/{part['digest']}")
            assert blob.status_code == 200
            assert sha256(blob.content) == part["digest"]


def test_killed_while_pushed_to(tmp_path: Path) -> None:
    numbers, pushed = itertools.count(), dict[str, str]()
    for _ in range(_ROUNDS):
        with served(tmp_path) as running:
            with running.client() as client:
                _check(client, pushed)
            thread = threading.Thread(target=_push_until_killed, args=(running, numbers, pushed))
            thread.start()
            time.sleep(random.uniform(0.05, 0.6))
            os.killpg(running.process.pid, signal.SIGKILL)
            thread.join()
    with served(tmp_path) as running, running.client() as client:
        _check(client, pushed)
        push_image(client, _NAME, "last", b"layer")
    store = LocalBlobs(tmp_path / "images")
    for digest in store.digests():
        data = b"".join(store.read(digest))
        assert digest_bytes(data, digest.algorithm) == digest


def test_an_upload_outlives_the_server(tmp_path: Path) -> None:
    blob = os.urandom(3 << 20)
    with served(tmp_path) as running, running.client() as client:
        place = client.post(f"/v2/{_NAME}/blobs/uploads/").headers["location"]
        assert client.patch(place, content=blob[: 2 << 20]).status_code == 202
        os.killpg(running.process.pid, signal.SIGKILL)
    with served(tmp_path) as running, running.client() as client:
        assert client.get(place).headers["range"] == f"0-{(2 << 20) - 1}"
        done = client.put(place, params={"digest": sha256(blob)}, content=blob[2 << 20 :])
        assert done.status_code == 201, done.text
        assert client.get(f"/v2/{_NAME}/blobs/{sha256(blob)}").content == blob
