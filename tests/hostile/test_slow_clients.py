"""Clients that send or take next to nothing hold no connection for ever, and keep nobody out."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lapstrake.web import bounded_protocol
from lapstrake.web.sendfile_protocol import SendfileProtocol

_SHORT, _PATIENCE = 0.3, 30.0
_DRIP = 0.05


class _App:
    """Reads bodies at ``/read``, reads none at ``/refuse``, sends without end at ``/``."""

    def __init__(self) -> None:
        self.ended = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/read":
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/":
            try:
                while True:
                    part = {"type": "http.response.body", "body": bytes(1 << 16), "more_body": True}
                    await send(part)
                    if self.gone(send):
                        return
            finally:
                self.ended.set()
        await send({"type": "http.response.body", "body": b"answered"})

    @staticmethod
    def gone(send: Send) -> bool:
        return bool(send.__self__.disconnected)  # type: ignore[attr-defined]


class _Protocol(SendfileProtocol):
    """Without the extension, so that `send` is uvicorn's own."""

    _start_asgi_task = HttpToolsProtocol._start_asgi_task


@pytest.fixture
def app() -> _App:
    return _App()


@pytest.fixture
def address(app: _App, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "TAKING_SECONDS"):
        monkeypatch.setattr(bounded_protocol, name, _SHORT)
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=_Protocol, loop="asyncio", ws="none", lifespan="off", log_config=None,
        timeout_keep_alive=600,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    yield listener.getsockname()
    server.should_exit = True
    thread.join()


def ended(connection: socket.socket, *, drip: bytes = b"", patience: float = _PATIENCE) -> bool:
    """Whether the server closes a connection, though bytes come all the time."""
    stop = threading.Event()

    def send() -> None:
        with suppress(OSError):
            while not stop.wait(_DRIP):
                connection.sendall(drip)

    thread = threading.Thread(target=send if drip else lambda: None)
    thread.start()
    connection.settimeout(patience)
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    finally:
        stop.set()
        thread.join()
    return True


@pytest.mark.parametrize(
    ("sent", "drip"),
    [
        (b"GET /x HTTP/1.1\r\nHost: x\r\nX-A: ", b"a"),
        (b"GET /x HTTP/1.1\r\nHost: x\r\n", b"X-A: a\r\n"),
        (b"\r\n", b"\r\n"),
        (b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"a"),
        (b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b""),
        (b"GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /x?", b"a"),  # the first one is answered
    ],
)
def test_who_drips_a_request_is_given_up(
    address: tuple[str, int], sent: bytes, drip: bytes
) -> None:
    with socket.create_connection(address) as slow:
        slow.sendall(sent)
        assert ended(slow, drip=drip)


def test_who_sends_slowly_but_sends_is_heard(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as slow:
        slow.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n")
        pause = threading.Event()
        for _ in range(12):  # twice as long as nothing at all may last
            pause.wait(_DRIP)
            slow.sendall(b"a")
        slow.settimeout(_PATIENCE)
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_who_takes_nothing_is_given_up(address: tuple[str, int], app: _App) -> None:
    with socket.create_connection(address) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert app.ended.wait(_PATIENCE)


def test_many_who_drip_keep_nobody_out(address: tuple[str, int]) -> None:
    slow: list[socket.socket] = []
    try:
        for _ in range(200):
            slow.append(socket.create_connection(address))
            slow[-1].sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nX-A: ")
        with socket.create_connection(address) as quick:
            quick.settimeout(_PATIENCE)
            quick.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: quick.recv(1 << 16), b""))
        assert b"answered" in text
        assert all(ended(each) for each in slow)
    finally:
        for each in slow:
            each.close()
