"""What a server says of itself: errors once, no traceback for what is meant, tasks by number."""

from __future__ import annotations

import signal
import sqlite3
import threading
from pathlib import Path

import httpx2
import psutil

from farm_hand import ENGINE, HandWorker
from farm_server import FarmServer, farm_server
from farm_worker import until


def test_errors_are_told_once_and_a_second_signal_is_none(tmp_path: Path) -> None:
    with farm_server(tmp_path / "farm", settings=(ENGINE,), slots=1) as server:
        client = server.client()
        task = _begun(client)
        _has_one_traceback(server, client, task)
        said = len(server.said())
        heard = threading.Event()
        follower = threading.Thread(target=_follow, args=(server, task, heard))
        follower.start()
        assert heard.wait(30)
        until(lambda: _builders(server))
        _builders(server)[0].suspend()  # what the server waits for, and so for the second signal
        server.process.send_signal(signal.SIGTERM)
        until(lambda: client.get("/ready").status_code == 503)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(30) == 0
        follower.join(30)
        assert "Traceback" not in server.said()[said:], server.said()
        assert f"[task={task} worker=hand]" in server.said()


def _begun(client: httpx2.Client) -> int:
    """A task that a worker builds."""
    hand = HandWorker(client=client)
    hand.register()
    hand.beat()
    spec = {"source": "apt:hello", "branch": "stable", "arch": "amd64"}
    made = client.post("/api/v1/tasks", json={"spec": spec})
    assert made.status_code == 201, made.text
    task = int(made.json()["id"])
    hand.claim(task)
    hand.write(task, "hello\n")
    return task


def _has_one_traceback(server: FarmServer, client: httpx2.Client, task: int) -> None:
    """An error of the server's own has a number, by which it is found in the log, once."""
    with sqlite3.connect(server.work_dir / "farm" / "farm.db", isolation_level=None) as tables:
        (spec,) = tables.execute("SELECT spec FROM tasks WHERE id = ?", (task,)).fetchone()
        tables.execute("UPDATE tasks SET spec = '[]' WHERE id = ?", (task,))
        answer = client.get(f"/api/v1/tasks/{task}")
        tables.execute("UPDATE tasks SET spec = ? WHERE id = ?", (spec, task))
    tables.close()
    assert answer.status_code == 500
    assert f"error {answer.json()['error']}" in server.said()
    assert server.said().count("Traceback (most recent call last)") == 1, server.said()


def _builders(server: FarmServer) -> list[psutil.Process]:
    children = psutil.Process(server.process.pid).children()
    return [child for child in children if "--embedded" in child.cmdline()]


def _follow(server: FarmServer, task: int, heard: threading.Event) -> None:
    with (
        server.client() as client,
        client.stream("GET", f"/api/v1/tasks/{task}/log/events") as answer,
    ):
        try:
            for _ in answer.iter_raw():
                heard.set()
        except httpx2.TransportError:
            pass  # that is what a second signal does
