"""A web server for tests that misbehaves on command."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Request(BaseHTTPRequestHandler):
    """One request; what to do about it is looked up by path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        site: Site = self.server.site  # type: ignore[attr-defined]
        site.requests.append((self.path, dict(self.headers)))
        answers = site.answers.get(self.path)
        if answers is None:
            self.send_error(404)
            return
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        """Tests print enough."""

    def reply(
        self, body: bytes, status: int = 200, claim: int | None = None, **headers: str
    ) -> None:
        """Send an answer; `claim` lies about the length, after which the connection ends."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if claim is None else claim))
        self.end_headers()
        self.wfile.write(body)
        if claim is not None:
            self.close_connection = True


Answer = Callable[[Request], None]


def serve(body: bytes, **more: str) -> Answer:
    """Answer with all of it, whatever was asked."""
    return lambda request: request.reply(body, **more)  # type: ignore[arg-type]


def fail(status: int, **headers: str) -> Answer:
    return lambda request: request.reply(b"sorry", status, **headers)  # type: ignore[arg-type]


def cut(body: bytes, length: int, **headers: str) -> Answer:
    """Promise all of it, send the beginning, hang up."""
    return lambda request: request.reply(body[:length], claim=len(body), **headers)  # type: ignore[arg-type]


def resumable(body: bytes, etag: str = '"v1"') -> Answer:
    """Serve ranges as RFC 9110 says."""

    def answer(request: Request) -> None:
        wanted = request.headers.get("Range")
        same = request.headers.get("If-Range", etag) == etag
        if not wanted or not same:
            request.reply(body, ETag=etag)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            request.reply(b"", 416, Content_Range=f"bytes */{len(body)}")
            return
        said = f"bytes {start}-{len(body) - 1}/{len(body)}"
        request.reply(body[start:], 206, Content_Range=said, ETag=etag)

    return answer


@dataclass
class Site:
    """The running server: what it answers, and what it was asked."""

    url: str
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def put(self, path: str, *answers: Answer) -> str:
        """Answer a path with these in turn, the last one for ever; gives the whole URL."""
        self.answers[path] = list(answers)
        return self.url + path

    def hang(self, beginning: bytes = b"") -> Answer:
        """Send a beginning, then nothing more until the test ends."""

        def answer(request: Request) -> None:
            request.send_response(200)
            request.send_header("Content-Length", "1000000")
            request.end_headers()
            request.wfile.write(beginning)
            request.wfile.flush()
            self.released.wait(600)
            request.close_connection = True

        return answer


@contextmanager
def running_site(security: ssl.SSLContext | None = None) -> Iterator[Site]:
    """Run the server while the block runs, with TLS if there is a context for it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Request)
    if security is not None:
        server.socket = security.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    server.daemon_threads = True
    site = Site(url=f"http://127.0.0.1:{server.server_address[1]}")
    server.site = site  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
