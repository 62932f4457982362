"""The server itself: many clients, leaving clients, full disks, its end, its log."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from inspect import signature
from pathlib import Path

import httpx2
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lapstrake.blobs.local import LocalBlobs
from lapstrake.registry.protocol.manifests import read_manifest
from lapstrake.registry.protocol.repositories import Repository, digest_bytes
from lapstrake.web.sendfile_protocol import SendfileProtocol
from registry_server import (
    Served,
    error_code,
    manifest_of,
    push_blob,
    push_image,
    put_manifest,
    served,
    sha256,
)
from roots import run_cli
from trouble import small_disk

_NAME = "push/server"
_BLOB = os.urandom(8 << 20)


@pytest.fixture(scope="module")
def registry(memory: Path) -> Iterator[Served]:
    """Two processes that share a socket and a store."""
    with served(memory / "server", "--workers", "2", "--access-log", "json") as running:
        yield running


@pytest.fixture
def client(registry: Served) -> Iterator[httpx2.Client]:
    with registry.client() as client:
        yield client


def _store(running: Served) -> Path:
    return running.log.parent / "images"


def _until(done: object, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(autouse=True)
def no_errors_of_ours(registry: Served) -> Iterator[None]:
    yield
    assert "Traceback" not in registry.log.read_text()


def test_many_clients_at_once(registry: Served) -> None:
    """Uploads go on in whichever process gets the request."""

    def push(number: int) -> None:
        layer = _BLOB[: 1 << 20] + bytes([number])
        with registry.client() as client:
            digest = push_image(client, f"{_NAME}/{number % 3}", f"v{number}", layer)
        with registry.client() as other:
            found = other.get(f"/v2/{_NAME}/{number % 3}/manifests/v{number}")
            assert sha256(found.content) == digest
            assert other.get(f"/v2/{_NAME}/{number % 3}/blobs/{sha256(layer)}").content == layer

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(push, range(12)))


def test_the_same_blob_at_once(registry: Served) -> None:
    def push(_: int) -> None:
        with registry.client() as client:
            assert push_blob(client, f"{_NAME}/same", _BLOB) == sha256(_BLOB)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(push, range(6)))
    with registry.client() as client:
        assert client.get(f"/v2/{_NAME}/same/blobs/{sha256(_BLOB)}").content == _BLOB


def _send(running: Served, head: str, body: bytes) -> socket.socket:
    """Begin a request by hand."""
    host, port = running.host.split(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    return connection


def test_a_client_that_leaves_can_resume(registry: Served, client: httpx2.Client) -> None:
    place = client.post(f"/v2/{_NAME}/blobs/uploads/").headers["location"]
    head = f"PATCH {place} HTTP/1.1\nHost: x\nContent-Length: {len(_BLOB)}"
    with _send(registry, head, _BLOB[: 3 << 20]):
        pass
    _until(lambda: client.get(place).headers["range"] == f"0-{(3 << 20) - 1}")
    said = {"Content-Range": f"{3 << 20}-{len(_BLOB) - 1}"}
    _until(lambda: client.patch(place, content=_BLOB[3 << 20 :], headers=said).status_code == 202)
    done = client.put(place, params={"digest": sha256(_BLOB)})
    assert done.status_code == 201, done.text


def test_a_client_that_leaves_and_cannot_resume(registry: Served, client: httpx2.Client) -> None:
    scratch = _store(registry) / "scratch"
    before = set(scratch.iterdir())
    path = f"/v2/{_NAME}/leaves/blobs/uploads/?digest={sha256(_BLOB)}"
    head = f"POST {path} HTTP/1.1\nHost: x\nContent-Length: {len(_BLOB)}"
    with _send(registry, head, _BLOB[: 2 << 20]):
        _until(lambda: set(scratch.iterdir()) != before)
    _until(lambda: set(scratch.iterdir()) == before)
    assert client.head(f"/v2/{_NAME}/leaves/blobs/{sha256(_BLOB)}").status_code == 404


def test_the_kernel_sends_files() -> None:
    """uvicorn still has the method that we hook into; without it all would work, but slowly."""
    own = HttpToolsProtocol._start_asgi_task
    assert SendfileProtocol._start_asgi_task is not own
    assert list(signature(own).parameters) == ["self", "cycle", "app"]


def test_two_requests_for_one_upload(registry: Served, client: httpx2.Client) -> None:
    place = client.post(f"/v2/{_NAME}/blobs/uploads/").headers["location"]
    head = f"PATCH {place} HTTP/1.1\nHost: x\nContent-Length: {len(_BLOB)}"
    with _send(registry, head, _BLOB[: 2 << 20]):
        _until(lambda: client.get(place).headers["range"] != "0-0")
        answer = client.patch(place, content=b"x")
        assert (answer.status_code, error_code(answer)) == (409, "BLOB_UPLOAD_INVALID")


def test_a_reader_that_leaves(registry: Served, client: httpx2.Client) -> None:
    """Neither it nor one that never reads keeps others from being served."""
    digest = push_blob(client, _NAME, _BLOB)
    head = f"GET /v2/{_NAME}/blobs/{digest} HTTP/1.1\nHost: x"
    stalled = [_send(registry, head, b"") for _ in range(120)]  # more than threads
    for connection in stalled[::2]:
        connection.recv(10)
        connection.close()
    assert client.get(f"/v2/{_NAME}/blobs/{digest}").content == _BLOB
    for connection in stalled[1::2]:
        connection.close()


def test_the_log_tells_no_secrets(registry: Served, client: httpx2.Client) -> None:
    headers = {"Authorization": "Basic c2VjcmV0", "User-Agent": "agent"}
    client.get("/v2/push/logged/tags/list?n=1&secret=word", headers=headers)
    _until(lambda: "push/logged" in registry.log.read_text())
    lines = [json.loads(line) for line in registry.log.read_text().splitlines() if line[0] == "{"]
    (line,) = [line for line in lines if line["path"] == "/v2/push/logged/tags/list"]
    assert (line["method"], line["status"], line["user"]) == ("GET", 404, "-")
    assert line["bytes"] > 50
    assert "c2VjcmV0" not in registry.log.read_text()
    assert "secret=word" not in registry.log.read_text()


def test_a_line_of_the_log_is_one_line(tmp_path: Path) -> None:
    with served(tmp_path) as running, running.client() as client:
        client.get("/v2/x%0aforged%1b[31m/tags/list")
        _until(lambda: "forged" in running.log.read_text())
        (line,) = [each for each in running.log.read_text().splitlines() if "forged" in each]
        assert "GET /v2/x\\x0aforged\\x1b[31m/tags/list 404" in line


def test_told_to_stop_it_lets_transfers_end(tmp_path: Path) -> None:
    with served(tmp_path) as running, running.client() as client:
        place = client.post(f"/v2/{_NAME}/blobs/uploads/").headers["location"]
        query = f"?digest={sha256(_BLOB)}"
        head = f"PUT {place}{query} HTTP/1.1\nHost: x\nContent-Length: {len(_BLOB)}"
        with _send(running, f"{head}\nExpect: 100-continue", b"") as connection:
            assert connection.recv(100).startswith(b"HTTP/1.1 100"), "it waits for the body"
            connection.sendall(_BLOB[:100_000])
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            assert running.process.poll() is None
            connection.sendall(_BLOB[100_000:])
            assert connection.recv(100).startswith(b"HTTP/1.1 201")
        assert running.process.wait(20) == 0
    assert LocalBlobs(_store(running)).find(digest_bytes(_BLOB)) == len(_BLOB)


def test_what_was_pushed_survives_a_cleanup(tmp_path: Path) -> None:
    with served(tmp_path) as running, running.client() as client:
        pushed = push_image(client, _NAME, "kept")
    done = run_cli("cleanup", "all", work_dir=tmp_path)
    assert done.ok, done.stderr
    with served(tmp_path) as running, running.client() as client:
        answer = client.get(f"/v2/{_NAME}/manifests/kept")
        assert answer.headers["docker-content-digest"] == pushed
    assert _store(running).stat().st_mode & 0o077 == 0


def test_workers_end_with_their_parent(memory_path: Path) -> None:
    with served(memory_path, "--workers", "2") as running:
        with running.client() as client:
            assert client.get("/healthz").status_code == 200
        os.kill(running.process.pid, signal.SIGKILL)
        running.process.wait()
        _until(lambda: not _is_open(running))


def _is_open(running: Served) -> bool:
    host, port = running.host.split(":")
    with socket.socket() as connection:
        return connection.connect_ex((host, int(port))) == 0


def test_ten_thousand_tags(memory_path: Path) -> None:
    store = LocalBlobs(memory_path / "images")
    repository, data = Repository(store, "push/many"), manifest_of(b"{}")
    digest = digest_bytes(data)
    repository.put(data, digest, read_manifest(data, ""), tag="first")
    folder = store.folder / "documents/pushed/push/many/_tags"
    for number in range(10_000):  # without flushing each of them
        (folder / f"v{number},").write_text(str(digest))
    with served(memory_path) as running, running.client() as client:
        assert len(client.get("/v2/push/many/tags/list").json()["tags"]) == 10_001
        page = client.get("/v2/push/many/tags/list?n=3&last=v9997")
        assert page.json()["tags"] == ["v9998", "v9999"]


def test_a_full_disk(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    with small_disk(tmp_path / "images", "4m", kind="tmpfs") as disk:
        with served(tmp_path) as running, running.client() as client:
            small = push_image(client, _NAME, "v1", b"small")
            path = f"/v2/{_NAME}/blobs/uploads/"
            for attempt in range(2):
                answer = client.post(path, params={"digest": sha256(_BLOB)}, content=_BLOB)
                assert (answer.status_code, error_code(answer)) == (507, "UNKNOWN"), attempt
                assert "No space left" in answer.json()["errors"][0]["message"]
            place = client.post(path).headers["location"]
            assert client.patch(place, content=_BLOB[: 1 << 20]).status_code == 202
            assert client.patch(place, content=_BLOB[1 << 20 :]).status_code == 507
            assert client.get(place).headers["range"] == f"0-{(1 << 20) - 1}"
            _fill(disk / "filler")
            answer = put_manifest(client, _NAME, "v2", manifest_of(b"{}"))
            assert answer.status_code in (404, 507)
            assert client.get(f"/v2/{_NAME}/manifests/v1").status_code == 200
            (disk / "filler").unlink()
            assert client.get(f"/v2/{_NAME}/manifests/{small}").status_code == 200
            blob = _BLOB[: 1 << 20]
            done = client.put(place, params={"digest": sha256(blob)})
            assert done.status_code == 201, done.text


def _fill(path: Path) -> None:
    """Take all the room that is left."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 12))


def test_collection(memory_path: Path) -> None:
    with served(memory_path) as running, running.client() as client:
        kept = push_image(client, _NAME, "v1", b"kept layer")
        gone = push_image(client, _NAME, "v2", b"layer that goes")
        push_blob(client, _NAME, b"for a manifest that never came")
        client.post(f"/v2/{_NAME}/blobs/uploads/")
        client.delete(f"/v2/{_NAME}/manifests/{gone}")
        store = LocalBlobs(_store(running))
        before = set(store.digests())

        done = run_cli("registry", "gc", work_dir=memory_path)
        assert done.ok, done.stderr
        assert set(store.digests()) == before, "all of it is younger than a day"
        done = run_cli(
            "registry", "gc", "--grace", "0s", "--dry-run", "--json", work_dir=memory_path
        )
        said = json.loads(done.stdout)
        assert set(store.digests()) == before
        assert said["leftovers"] == 1

        done = run_cli("registry", "gc", "--grace", "0s", "--json", work_dir=memory_path)
        assert json.loads(done.stdout) == said
        left = {str(digest) for digest in before} - set(said["blobs"])
        assert {str(digest) for digest in store.digests()} == left
        assert kept in left
        assert sha256(b"kept layer") in left
        unneeded = (b"layer that goes", b"for a manifest that never came")
        assert set(said["blobs"]) == {gone, *map(sha256, unneeded)}
        assert client.get(f"/v2/{_NAME}/manifests/v1").status_code == 200
        assert client.get(f"/v2/{_NAME}/blobs/{sha256(b'kept layer')}").status_code == 200
        assert list(store.scratch.iterdir()) == []


def test_pulls_during_pushes(registry: Served) -> None:
    """A tag that moves always leads to a whole image."""
    name, stop = f"{_NAME}/moving", threading.Event()
    with registry.client() as client:
        push_image(client, name, "v1", b"0")

    def push() -> None:
        with registry.client() as client:
            for number in range(30):
                push_image(client, name, "v1", str(number).encode())
        stop.set()

    thread = threading.Thread(target=push)
    thread.start()
    pulls = 0
    with registry.client() as client:
        while not stop.is_set() or not pulls:
            found = client.get(f"/v2/{name}/manifests/v1")
            assert found.status_code == 200
            for layer in found.json()["layers"]:
                assert client.get(f"/v2/{name}/blobs/{layer['digest']}").status_code == 200
            pulls += 1
    thread.join()
