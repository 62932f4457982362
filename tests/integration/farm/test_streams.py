"""What is followed over HTTP: logs through several attempts, events, and a server that stops."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx2
import pytest

from farm_hand import ENGINE, HandWorker
from farm_server import FarmServer, farm_server
from farm_worker import pack, submit, until
from shop import EXAMPLES

"""Workers that are played by hand ask no engine."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An event as a browser hears it."""

    name: str
    id: str
    data: tuple[str, ...]

    @property
    def value(self) -> dict[str, object]:
        found: dict[str, object] = json.loads("\n".join(self.data))
        return found


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    work_dir = tmp_path_factory.mktemp("streams")
    with farm_server(work_dir, settings=(ENGINE, "farm.attempts=9")) as server:
        yield server


def heard(farm: FarmServer, path: str, last: str = "") -> Iterator[Sent]:
    """The events of a stream until it ends; comments are passed over."""
    headers = {"Last-Event-ID": last} if last else {}
    with (
        farm.client(timeout=30) as client,
        client.stream("GET", f"/api/v1/{path}", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        name, id, data = "", "", list[str]()
        for line in answer.iter_lines():
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                id = value
            elif field == "data":
                data.append(value)
            elif not line and data:
                yield Sent(name, id, tuple(data))
                name, id, data = "", "", []


def test_a_log_is_followed_through_its_attempts(farm: FarmServer) -> None:
    with farm.client() as client, ThreadPoolExecutor(2) as threads:
        task = submit(client, pack(EXAMPLES / "native" / "greeting"))
        path = f"tasks/{task}/log/events"
        whole = threads.submit(lambda: list(heard(farm, path)))  # before anybody builds it
        first = HandWorker(client=client, name="first")
        first.register()
        assert first.claim(task) == 1
        first.write(task, "one\ntwo\n")
        first.write(task, "three\n")
        client.post("/api/v1/workers/first/goodbye", json={"incarnation": "by-hand"})
        until(lambda: client.get(f"/task/{task}/status").json()["state"] == "queued")
        second = HandWorker(client=client, name="second")
        second.register()
        assert second.claim(task) == 2
        second.write(task, "uno\n<b>dos</b>\r\n")
        second.finish(task, ok=False, error="it broke")

        events = whole.result(30)
        assert [each.value["attempt"] for each in events if each.name == "attempt"] == [1, 2]
        assert _lines(events) == ["one", "two", "three", "uno", "<b>dos</b>"]
        assert events[-1].name == "end"
        assert events[-1].value == {"state": "failed"}

        # Who was cut off after the first two lines misses nothing, and gets nothing twice.
        again = list(heard(farm, f"{path}?attempt=1", last=str(len("one\ntwo\n"))))
        assert _lines(again) == ["three", "uno", "<b>dos</b>"]
        (last,) = {each.id for each in again if each.name == "lines"} & {"16"}
        over = list(heard(farm, f"{path}?attempt=2", last=last))
        assert [each.name for each in over] == ["attempt", "end"]
        beyond = client.get(f"/api/v1/{path}?attempt=3")
        assert (beyond.status_code, beyond.json()["resolution"] != "") == (404, True)


def _lines(events: list[Sent]) -> list[str]:
    return [line for each in events if each.name == "lines" for line in each.data]


def test_events_are_followed_until_the_server_stops(farm: FarmServer) -> None:
    with farm.client() as client:
        task = int(client.post("/task").json()["id"])
        known = client.get(f"/api/v1/events?task={task}").json()["items"]
        live, begun = list[Sent](), threading.Event()

        def listen() -> None:
            for each in heard(farm, f"events/stream?task={task}", last=str(known[-1]["id"] - 1)):
                live.append(each)
                begun.set()

        listener = threading.Thread(target=listen)
        listener.start()
        assert begun.wait(30)
        client.post("/task")  # somebody else's
        client.post(f"/api/v1/tasks/{task}/cancel", json={"reason": "no more"})
        until(lambda: len(live) >= 2)
        assert [each.value["kind"] for each in live] == ["task.new", "task.cancelled"]
        assert [int(each.id) for each in live] == [each.value["id"] for each in live]
        assert {each.value["task"] for each in live} == {task}

    assert farm.stop() == 0
    listener.join(30)
    assert not listener.is_alive()
    assert "Traceback" not in farm.said()
    with pytest.raises(httpx2.ConnectError), farm.client() as client:
        client.get("/health")
