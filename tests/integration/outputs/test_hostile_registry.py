"""Registries that mean harm: they learn no secret, and are told of in a line."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lapstrake.blobs.local import LocalBlobs
from lapstrake.errors import RegistryError
from lapstrake.image.base import Image
from lapstrake.image.outputs.write import write_image
from lapstrake.progress import Silent

_PASSWORD = base64.b64encode(b"ada:a secret").decode()


class _Hostile(BaseHTTPRequestHandler):
    """Lets nobody push; how it refuses is told by its server's `ways`."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        ways: dict[str, dict[str, str]] = self.server.ways  # type: ignore[attr-defined]
        self.server.seen.append((self.path, dict(self.headers)))  # type: ignore[attr-defined]
        way = {} if self.path == "/v2/" else ways.get(self.command, {})
        body = way.get("body", "").encode()
        self.send_response(int(way.get("status", 200)))
        for name, value in way.items():
            if name not in {"status", "body"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Tests print enough."""


class Server(ThreadingHTTPServer):
    """A registry that is told what to answer: method, then ``status``, ``body`` and headers."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Hostile)
        self.ways: dict[str, dict[str, str]] = {}
        self.seen: list[tuple[str, dict[str, str]]] = []

    @property
    def host(self) -> str:
        """Address and port."""
        return f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    pair = (Server(), Server())
    threads = [threading.Thread(target=each.serve_forever, args=(0.01,)) for each in pair]
    for thread in threads:
        thread.start()
    yield pair
    for server, thread in zip(pair, threads, strict=True):
        server.shutdown()
        thread.join()
        server.server_close()


def _push(blobs: LocalBlobs, image: Image, server: Server) -> RegistryError:
    with pytest.raises(RegistryError) as refused:
        write_image(blobs, image, f"docker://{server.host}/a:v1", progress=Silent())
    return refused.value


def test_who_is_redirected_to_learns_no_password(
    blobs: LocalBlobs,
    image: Image,
    servers: tuple[Server, Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    registry, thief = servers
    config = {"auths": {registry.host: {"auth": _PASSWORD}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    registry.ways["HEAD"] = {"status": "307", "Location": f"http://{thief.host}/take"}
    challenge = f'Bearer realm="http://{thief.host}/token",service="x"'
    thief.ways["HEAD"] = {"status": "401", "WWW-Authenticate": challenge}
    _push(blobs, image, registry)
    assert thief.seen
    assert not [headers for _, headers in thief.seen if "Authorization" in headers]
    assert not [path for path, _ in thief.seen if path.startswith("/token")]


@pytest.mark.parametrize(
    "way",
    [
        {"status": "202", "Location": "http://[nowhere"},
        {"status": "403", "body": "[" * 100_000},
        {"status": "403", "body": json.dumps({"errors": [1, None]})},
    ],
)
def test_answers_that_make_no_sense(
    blobs: LocalBlobs, image: Image, servers: tuple[Server, Server], way: dict[str, str]
) -> None:
    registry, _ = servers
    registry.ways = {"HEAD": {"status": "404"}, "POST": way}
    assert _push(blobs, image, registry).brief.count("\n") == 0
