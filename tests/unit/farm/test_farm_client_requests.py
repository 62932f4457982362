"""What the client makes of answers, good and bad, of a server that misbehaves on command."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from lapstrake.errors import FarmError
from lapstrake.farm.client import patience
from lapstrake.farm.client.answer import UnreachableError, write
from lapstrake.farm.client.http import Connection
from lapstrake.farm.problems import PROBLEMS, Invalid, NoToken, Problem, TooMany, Unavailable
from lapstrake.farm.values.tasks import Task, TaskSpec, TaskState

_TASK = Task(id=1, spec=TaskSpec(), state=TaskState.NEW)

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Script:
    """A server's answers, one after the other; the last one stays."""

    answers: list[Answer]
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


def say(status: int, body: bytes = b"", **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def hang_up(request: BaseHTTPRequestHandler) -> None:
    request.connection.shutdown(socket.SHUT_RDWR)
    request.close_connection = True


def problem(status: int, kind: str, **more: object) -> Answer:
    document = {"type": f"/problems/{kind}", "title": "T", "status": status, "detail": "D", **more}
    return say(status, json.dumps(document).encode(), Content_Type="application/problem+json")


@contextmanager
def serving(*answers: Answer) -> Iterator[Script]:
    script = Script(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            script.headers.append({name.lower(): value for name, value in self.headers.items()})
            (script.answers.pop(0) if len(script.answers) > 1 else script.answers[0])(self)

        do_GET = do_POST = answer  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: object) -> None:
            """Tests print enough."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def asking(script: Script, token: str = "", patience: float = 5.0) -> Iterator[Connection]:
    connection = Connection(script.url, token, patience=patience, silence=10.0)
    try:
        yield connection
    finally:
        connection.close()


def test_a_broken_connection_is_tried_again_with_the_same_key_and_token() -> None:
    good = say(201, write(_TASK))
    with (
        serving(hang_up, problem(503, "unavailable"), say(502), good) as script,
        asking(script, "lst_x") as farm,
    ):
        assert farm.send(Task, "POST", "/task", {}) == _TASK
    assert len(script.headers) == 4
    assert len({each["idempotency-key"] for each in script.headers}) == 1
    assert {each["authorization"] for each in script.headers} == {"Bearer lst_x"}


def test_each_request_has_a_key_of_its_own() -> None:
    with serving(say(201, write(_TASK))) as script, asking(script) as farm:
        farm.send(Task, "POST", "/task", {})
        farm.send(Task, "POST", "/task", {})
        farm.get(Task, "/task/1", after=None, limit=5)
    keys = [each.get("idempotency-key") for each in script.headers]
    assert len(set(keys)) == 3
    assert keys[2] is None


def test_patience_ends() -> None:
    with serving(hang_up) as script, asking(script, patience=0.3) as farm:
        with pytest.raises(UnreachableError, match="cannot be reached"):
            farm.call("GET", "/")
    with serving(problem(503, "unavailable")) as script, asking(script, patience=2.0) as farm:
        with pytest.raises(Unavailable):
            farm.call("GET", "/")
        assert len(script.headers) > 1


def test_a_stop_ends_patience_at_once() -> None:
    with serving(hang_up) as script, asking(script, patience=60.0) as farm:
        threading.Timer(0.3, farm.stop).start()
        with pytest.raises(UnreachableError):
            farm.call("GET", "/")


def test_a_client_that_asks_too_often_waits_as_long_as_it_is_told() -> None:
    busy = say(429, b"{}", Retry_After="1", Content_Type="application/problem+json")
    with serving(busy) as script, asking(script, patience=0.5) as farm:
        with pytest.raises(TooMany):
            farm.call("GET", "/")
        assert len(script.headers) == 1, "it was told to wait longer than it can"


@pytest.mark.parametrize("kind", PROBLEMS, ids=lambda kind: kind.kind)
def test_a_problem_is_raised_as_the_server_raised_it(kind: type[Problem]) -> None:
    answer = problem(kind.status, kind.kind, resolution="R", state="new")
    with serving(answer) as script, asking(script, patience=0.0) as farm:
        with pytest.raises(kind) as raised:
            farm.call("GET", "/")
    assert type(raised.value) is kind
    assert (raised.value.brief, raised.value.resolution) == ("D", "R")
    assert raised.value.fields == {"state": "new"}


def test_all_that_is_invalid_is_told() -> None:
    errors = [{"where": "body.spec.branch", "what": "is missing"}, {"where": "x", "what": "odd"}]
    with serving(problem(422, "invalid", errors=errors)) as script, asking(script) as farm:
        with pytest.raises(Invalid) as raised:
            farm.call("GET", "/")
    assert raised.value.details == "body.spec.branch: is missing\nx: odd"


def test_a_status_says_enough_without_a_document() -> None:
    with serving(say(401, b"<html>")) as script, asking(script) as farm:
        with pytest.raises(NoToken, match="401"):
            farm.call("GET", "/")


def test_what_is_no_farm_is_told() -> None:
    page = say(200, b"<html>welcome</html>", Content_Type="text/html")
    with serving(page) as script, asking(script) as farm:
        with pytest.raises(FarmError) as raised:
            farm.get(Task, "/task/1")
    assert "welcome" in raised.value.details
    assert "farm.server" in raised.value.resolution


def test_a_token_never_follows_a_redirection() -> None:
    elsewhere = say(302, Location="http://elsewhere.example/")
    with serving(elsewhere) as script, asking(script, "lst_x") as farm:
        with pytest.raises(FarmError, match="elsewhere"):
            farm.call("GET", "/")
    assert len(script.headers) == 1


def test_what_a_later_server_adds_is_left_out() -> None:
    document = {**json.loads(write(_TASK)), "mood": "good"}
    with serving(say(200, json.dumps(document).encode())) as script, asking(script) as farm:
        assert farm.get(Task, "/task/1") == _TASK


def test_a_server_that_is_away_for_hours_is_asked_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "_LONGEST_PAUSE", 0.0)
    tries = iter(range(1_500))

    def once() -> str:
        if next(tries, None) is not None:
            raise UnreachableError("nobody answers")
        return "here"

    assert patience.Patience(None).call(once, 600.0, (UnreachableError,)) == "here"
