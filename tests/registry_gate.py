"""What stands in front of a registry in tests: a door that breaks, one that wants tokens."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PIECE = 1 << 16


@dataclass
class Door:
    """A TCP proxy; `cuts` says after how many bytes from the client each broken connection breaks.

    Connections that send less are not broken.
    """

    address: str
    cuts: list[int]
    passed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextlib.contextmanager
def breaking_door(upstream: str, *cuts: int) -> Iterator[Door]:
    """Stand in front of ``HOST:PORT`` while the block runs."""
    listener = socket.create_server(("127.0.0.1", 0))
    host, port = listener.getsockname()
    door = Door(address=f"{host}:{port}", cuts=list(cuts))

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=_join, args=(door, client, upstream), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield door
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _join(door: Door, client: socket.socket, upstream: str) -> None:
    host, _, port = upstream.rpartition(":")
    with client, socket.create_connection((host, int(port))) as server:
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        sent = 0
        with contextlib.suppress(OSError):
            while piece := client.recv(_PIECE):
                server.sendall(piece)
                sent += len(piece)
                with door.lock:
                    door.passed += len(piece)
                    broken = bool(door.cuts) and sent >= door.cuts[0]
                    if broken:
                        door.cuts.pop(0)
                if broken:
                    break
        for each in (client, server):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)


@dataclass
class TokenGate:
    """A proxy that lets in who shows a token, and gives tokens to who has the password.

    Attributes:
        address: ``HOST:PORT``.
        upstream: the registry.
        user: who may have tokens.
        password: with what.
        lasts: how many requests a token is good for.
        asked: the scopes that tokens were asked for.
    """

    address: str
    upstream: str
    user: str
    password: str
    lasts: int
    asked: list[set[str]] = field(default_factory=list)
    tokens: dict[str, int] = field(default_factory=dict)


@contextlib.contextmanager
def token_gate(
    upstream: str, *, user: str, password: str, lasts: int = 1000
) -> Iterator[TokenGate]:
    """Stand in front of ``HOST:PORT`` while the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gate)
    server.daemon_threads = True
    gate = TokenGate(
        address=f"127.0.0.1:{server.server_address[1]}",
        upstream=upstream,
        user=user,
        password=password,
        lasts=lasts,
    )
    server.gate = gate  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield gate
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        gate: TokenGate = self.server.gate  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        if urlsplit(self.path).path == "/token":
            self._give_token(gate, body)
        elif self._has_token(gate):
            self._pass_on(gate, body)
        else:
            scope = f"repository:{self.path.split('/')[2]}:pull" if self.path != "/v2/" else ""
            said = f'Bearer realm="http://{gate.address}/token",service="gate",scope="{scope}"'
            self._reply(401, b"{}", {"WWW-Authenticate": said})

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any  # noqa: N815

    def _give_token(self, gate: TokenGate, body: bytes) -> None:
        query = parse_qs(urlsplit(self.path).query) if self.command == "GET" else {}
        form = parse_qs(body.decode())
        pair = base64.b64encode(f"{gate.user}:{gate.password}".encode()).decode()
        by_password = self.headers.get("Authorization") == f"Basic {pair}"
        by_refresh = form.get("refresh_token") == [gate.password]
        if not (by_password or by_refresh):
            self._reply(401, b'{"details":"incorrect username or password"}', {})
            return
        scopes = query.get("scope") or form.get("scope", [""])[0].split()
        gate.asked.append(set(scopes))
        token = f"token-{len(gate.asked)}"
        gate.tokens[token] = gate.lasts
        name = "access_token" if by_refresh else "token"
        self._reply(200, json.dumps({name: token}).encode(), {})

    def _has_token(self, gate: TokenGate) -> bool:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        gate.tokens[token] = gate.tokens.get(token, 0) - 1
        return gate.tokens[token] >= 0

    def _pass_on(self, gate: TokenGate, body: bytes) -> None:
        upstream = http.client.HTTPConnection(gate.upstream, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name != "Authorization"}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        self._reply(answer.status, answer.read(), dict(answer.getheaders()))
        upstream.close()

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection", "date"}:
                self.send_header(name, value)
        if self.command == "HEAD":
            self.send_header("Content-Length", headers.get("Content-Length", "0"))
        elif status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print enough."""
