"""The server's end: what holds it up, and what does not."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import pytest

from registry_server import Served, served


def _open(running: Served, request: str) -> socket.socket:
    """Send a request by hand, and read how its answer begins."""
    host, port = running.host.split(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.sendall(f"{request} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert connection.recv(12) == b"HTTP/1.1 200"
    return connection


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_waits_for_news_holds_nothing_up(tmp_path: Path, workers: str) -> None:
    """Neither an idle connection nor a stream of events, which goes on for minutes."""
    with served(tmp_path, "--workers", workers) as running, running.client() as client:
        assert client.get("/healthz").status_code == 200
        with _open(running, "GET /jobs/events"):
            running.process.send_signal(signal.SIGTERM)
            assert running.process.wait(10) == 0
        assert "Traceback" not in running.log.read_text()


def test_asked_twice_it_waits_for_nobody(tmp_path: Path) -> None:
    """A client that sends nothing of what it announced would have half a minute."""
    with served(tmp_path) as running, running.client() as client:
        place = client.post("/v2/push/slow/blobs/uploads/").headers["location"]
        head = f"PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: 9"
        host, port = running.host.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(f"{head}\r\nExpect: 100-continue\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 100"), "it waits for the body"
            running.process.send_signal(signal.SIGINT)
            time.sleep(0.7)
            assert running.process.poll() is None
            running.process.send_signal(signal.SIGINT)
            assert running.process.wait(10) == -signal.SIGINT
