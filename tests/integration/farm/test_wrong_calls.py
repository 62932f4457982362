"""Calls that are wrong, or not the caller's to make: each answer says what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from farm_hand import ENGINE, HandWorker
from farm_server import FarmServer, farm_server
from farm_worker import pack, submit
from roots import run_cli
from shop import EXAMPLES

_NAMES = {"reader": "read", "maker": "submit", "ours": "worker", "theirs": "worker"}
_FACTS = {"name": "one", "incarnation": "evil", "arches": ["amd64"]}
_ATTEMPT = "/api/v1/tasks/1/attempts/1"
_DIGEST = "sha256:" + "0" * 64

# who, method, path, body as JSON, status
_CALLS: list[tuple[str, str, str, Any, int]] = [
    # without a token, or with one that does not allow it
    ("", "GET", "/api/v1/tasks", None, 401),
    ("", "POST", "/task", None, 401),
    ("", "GET", "/api/v1/tokens", None, 401),
    ("reader", "POST", "/task", None, 403),
    ("reader", "POST", "/api/v1/tasks/1/cancel", {}, 403),
    ("reader", "GET", "/api/v1/tokens", None, 403),
    ("maker", "POST", "/api/v1/tokens", {"name": "x", "scope": "admin"}, 403),
    ("maker", "POST", "/api/v1/webhooks", {"url": "https://example.org/"}, 403),
    ("maker", "DELETE", "/api/v1/workers/one", None, 403),
    ("maker", "POST", "/api/v1/workers/register", _FACTS, 403),
    ("maker", "POST", f"{_ATTEMPT}/result", {"ok": True}, 403),
    ("ours", "GET", "/api/v1/tasks", None, 403),
    ("ours", "GET", "/api/v1/tasks/1/log", None, 403),
    ("ours", "POST", "/api/v1/tasks/1/cancel", {}, 403),
    ("ours", "GET", "/metrics", None, 403),
    # another worker's token
    ("theirs", "PUT", f"{_ATTEMPT}/state", {"state": "building"}, 403),
    ("theirs", "PATCH", f"{_ATTEMPT}/log?offset=0", b"mine", 403),
    ("theirs", "POST", f"{_ATTEMPT}/samples", [], 403),
    ("theirs", "POST", f"{_ATTEMPT}/result", {"ok": True}, 403),
    ("theirs", "POST", "/api/v1/workers/one/heartbeat", {"incarnation": "by-hand"}, 403),
    ("theirs", "POST", "/api/v1/workers/one/goodbye", {"incarnation": "by-hand"}, 403),
    ("theirs", "POST", "/api/v1/workers/register", {**_FACTS, "replaces": "by-hand"}, 403),
    # what there is not
    ("boss", "GET", "/api/v1/tasks/999", None, 404),
    ("boss", "GET", "/api/v1/tasks/1/log?attempt=7", None, 404),
    ("boss", "GET", "/api/v1/tasks/999/log/events", None, 404),
    ("boss", "GET", "/api/v1/tasks/1/artifacts/nothing.deb", None, 404),
    ("boss", "GET", "/api/v1/groups/999", None, 404),
    ("boss", "GET", "/api/v1/branches/nowhere", None, 404),
    ("boss", "GET", "/api/v1/workers/nobody", None, 404),
    ("boss", "DELETE", "/api/v1/tokens/nobody", None, 404),
    ("boss", "GET", "/api/v1/webhooks/999/deliveries", None, 404),
    ("boss", "GET", f"/api/v1/content/{_DIGEST}", None, 404),
    ("boss", "GET", f"/api/v1/uploads/{'0' * 32}", None, 404),
    ("boss", "GET", "/api/v1/nothing", None, 404),
    ("boss", "GET", "/artifacts/..%2f..%2fconf", None, 404),
    ("boss", "GET", "/repository/stable/..%2f..%2fkeys", None, 404),
    ("boss", "GET", "/repository/..%2f/x", None, 404),
    ("boss", "DELETE", "/api/v1/tasks", None, 405),
    ("boss", "PUT", "/api/v1/groups/1", {}, 405),
    # the wrong state
    ("maker", "PUT", "/task/1/build", None, 409),
    ("maker", "PUT", "/task/1/branch", {"branch": "stable"}, 409),
    ("maker", "POST", "/api/v1/tasks/1/retry", None, 409),
    ("boss", "DELETE", "/api/v1/workers/one", None, 409),
    ("boss", "DELETE", "/api/v1/tokens/boss", None, 409),
    ("ours", "PATCH", f"{_ATTEMPT}/log?offset=7", b"a gap", 409),
    # too large
    ("maker", "POST", "/api/v1/uploads", {"size": 1 << 40}, 413),
    ("maker", "POST", "/api/v1/tasks", b'{"x":"' + b"x" * (33 << 20) + b'"}', 413),
    ("ours", "PATCH", f"{_ATTEMPT}/log?offset=0", b"x" * (5 << 20), 413),
    # no sense
    ("maker", "POST", "/task", {"colour": "red"}, 422),
    ("maker", "POST", "/task", {"arch": "pdp11"}, 422),
    ("maker", "POST", "/task", {"priority": "high"}, 422),
    ("maker", "PUT", "/task/one/build", None, 422),
    ("maker", "POST", "/api/v1/tasks", {"spec": {"name": "\x1b[2J"}}, 422),
    ("maker", "POST", "/api/v1/tasks", {"spec": {"bundle": "sha256:../../x"}}, 422),
    ("maker", "POST", "/api/v1/tasks", {"spec": {"source": "/etc", "branch": "stable"}}, 422),
    ("maker", "POST", "/api/v1/tasks/batch", {"tasks": []}, 422),
    ("maker", "POST", "/api/v1/groups", {"members": []}, 422),
    ("maker", "POST", "/api/v1/content/missing", {"digests": ["x"]}, 422),
    ("boss", "GET", "/api/v1/tasks?limit=100000", None, 422),
    ("boss", "GET", "/api/v1/tasks?state=tired", None, 422),
    ("boss", "POST", "/api/v1/webhooks", {"url": "file:///etc/passwd"}, 422),
    ("boss", "POST", "/api/v1/tokens", {"name": "../x", "scope": "read"}, 422),
    ("boss", "POST", "/api/v1/tokens", {"name": "x", "scope": "god"}, 422),
    # a worker that means harm
    ("theirs", "POST", "/api/v1/workers/register", {**_FACTS, "capabilities": ["\x1b[1m"]}, 422),
    ("theirs", "POST", "/api/v1/workers/register", {**_FACTS, "name": "x\ny"}, 422),
    ("theirs", "POST", "/api/v1/workers/register", {**_FACTS, "slots": 1 << 40}, 422),
    ("theirs", "POST", "/api/v1/workers/register", {**_FACTS, "capabilities": ["a"] * 999}, 422),
    ("ours", "POST", f"{_ATTEMPT}/samples", b'[{"seconds":NaN,"cpu_seconds":1,"memory":1}]', 422),
    ("ours", "POST", f"{_ATTEMPT}/samples", [{}] * 6000, 422),
    ("ours", "POST", f"{_ATTEMPT}/result", {"ok": True, "outputs": [{"name": "../x"}]}, 422),
    (
        *("ours", "POST", f"{_ATTEMPT}/result"),
        {"ok": True, "outputs": [{"name": "a.deb", "digest": _DIGEST, "size": 1}]},
        422,
    ),
]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FarmServer, dict[str, str]]]:
    """A server on which the worker ``one`` builds task 1, and the secrets of all who ask."""
    work_dir = tmp_path_factory.mktemp("wrong")
    secrets = {"": "", "boss": _admin(work_dir)}
    with (
        farm_server(work_dir, settings=(ENGINE,)) as server,
        server.client(secrets["boss"]) as boss,
    ):
        for name, scope in _NAMES.items():
            answer = boss.post("/api/v1/tokens", json={"name": name, "scope": scope})
            secrets[name] = answer.raise_for_status().json()["secret"]
        assert submit(boss, pack(EXAMPLES / "native" / "greeting")) == 1
        with server.client(secrets["ours"]) as ours:
            worker = HandWorker(client=ours, name="one")
            worker.register()
            worker.claim(1)
            yield server, secrets


def _admin(work_dir: Path) -> str:
    made = run_cli("farm", "token", "add", "boss", "--scope", "admin", work_dir=work_dir)
    assert made.ok, made.stderr
    return made.stdout.strip()


def test_each_wrong_call_is_refused_and_says_what_to_do(
    farm: tuple[FarmServer, dict[str, str]],
) -> None:
    server, secrets = farm
    wrong = []
    with server.client() as client, server.client(secrets["ours"]) as ours:
        for who, method, path, body, status in _CALLS:
            ours.post("/api/v1/workers/one/heartbeat", json={"incarnation": "by-hand"})
            answer = _ask(client, secrets[who], method, path, body)
            problem = _is_problem(answer, status)
            if problem:
                wrong.append((who, method, path, problem))
        task = client.get("/task/1/status", headers=_shown(secrets["boss"])).json()
    assert not wrong, "\n".join(map(str, wrong))
    assert (task["state"], task["attempt"]) == ("building", 1)
    assert "Traceback" not in server.said()
    assert not [name for name in secrets if name and secrets[name] in server.said()]


def test_a_body_that_tells_no_size_is_bounded_too(
    farm: tuple[FarmServer, dict[str, str]],
) -> None:
    server, secrets = farm
    piece = b" " * (1 << 20)
    with server.client(secrets["maker"]) as client:
        kind = {"Content-Type": "application/json"}
        long = client.post("/api/v1/tasks", content=iter([piece] * 33), headers=kind)
        assert not _is_problem(long, 413)
        form = {"Content-Type": "multipart/form-data; boundary=x"}
        odd = client.put("/task/1/build_bundle", content=iter([b"--x", piece]), headers=form)
        assert not _is_problem(odd, 422)


def _ask(
    client: httpx2.Client, secret: str, method: str, path: str, body: object
) -> httpx2.Response:
    if isinstance(body, bytes):
        kind = "application/json" if body[:1] in b"{[" else "application/octet-stream"
        headers = {**_shown(secret), "Content-Type": kind}
        return client.request(method, path, content=body, headers=headers)
    return client.request(method, path, json=body, headers=_shown(secret))


def _shown(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"} if secret else {}


def _is_problem(answer: httpx2.Response, status: int) -> str:
    """What is wrong with an answer that should be a problem; empty when nothing is."""
    if answer.status_code != status:
        return f"{answer.status_code}, not {status}: {answer.text[:200]}"
    if answer.headers["content-type"] != "application/problem+json":
        return f"it is {answer.headers['content-type']}"
    document = answer.json()
    if document["status"] != status or not document["detail"] or not document["resolution"]:
        return f"it does not say what to do: {document}"
    return ""
