"""Who may ask for what: the gate with its tokens, sessions and rates, on a real database."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lapstrake.config.model import FarmConfig
from lapstrake.farm.access.gate import Gate
from lapstrake.farm.access.rates import Rates
from lapstrake.farm.access.sessions import COOKIE, Sessions
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.problems import Invalid, Unknown, WrongState
from lapstrake.farm.serving.registry import refusal, registry_proofs
from lapstrake.farm.tables.database import Database
from lapstrake.farm.tables.migrate import upgrade
from lapstrake.farm.values.scopes import Scope

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


class Guarded:
    """A gate before something that says who came in."""

    def __init__(self, folder: Path) -> None:
        self.now = 1000.0
        self.database = Database(f"sqlite:///{folder / 'farm.db'}")
        upgrade(self.database)
        self.tokens = Tokens(self.database, lambda: self.now)
        key = b"k" * 32
        self.sessions = Sessions(self.tokens, key, lambda: self.now)
        self.proofs = registry_proofs(self.tokens, key)
        self.farm = FarmConfig()
        self.gate = Gate(
            app=Starlette(routes=[Route("/{path:path}", _who, methods=_METHODS)]),
            tokens=self.tokens,
            sessions=self.sessions,
            proofs=self.proofs,
            rates=Rates(),
            answer=refusal(lambda: self.farm.anonymous_read),
            loopback=True,
            farm=lambda: self.farm,
        )
        self.client = TestClient(self.gate, base_url="http://127.0.0.1:7400")

    def ask(self, method: str, path: str, secret: str = "", **headers: str) -> int:
        if secret:
            headers["Authorization"] = f"Bearer {secret}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, headers=named).status_code


async def _who(request: Request) -> Response:
    return JSONResponse({"name": viewer_of(request).name})


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path)
    yield made
    made.client.close()
    made.database.close()


def test_without_tokens_this_machine_may_do_everything(guarded: Guarded) -> None:
    assert guarded.ask("DELETE", "/api/v1/tokens/x") == 200
    assert guarded.ask("POST", "/task", Host="evil.example") == 403  # its name means this machine
    assert guarded.ask("POST", "/task", Host="localhost:7400") == 200
    assert guarded.ask("POST", "/task", Origin="http://evil.example") == 403
    assert guarded.ask("POST", "/task", Sec_Fetch_Site="cross-site") == 403
    assert guarded.ask("POST", "/task", Origin="http://127.0.0.1:7400") == 200
    for odd in ("[", "http://[", "null", ""):
        assert guarded.ask("POST", "/task", Origin=odd) == 403
        assert guarded.ask("GET", "/task", Host=odd or "[::") == 403
    guarded.farm = replace(guarded.farm, url="https://farm.example")
    assert guarded.ask("GET", "/task", Host="farm.example") == 200
    for header in ("X-Forwarded-For", "Forwarded", "Via"):  # the world, through a proxy here
        assert guarded.ask("GET", "/task", **{header: "203.0.113.7"}) == 403
    guarded.gate.loopback = False
    assert guarded.ask("GET", "/task") == 401


def test_each_scope_allows_what_it_says(guarded: Guarded) -> None:
    secrets = {scope: guarded.tokens.add(scope.value, scope)[1] for scope in Scope}
    calls = {
        ("GET", "/task"): {Scope.READ, Scope.SUBMIT, Scope.ADMIN},
        ("POST", "/task"): {Scope.SUBMIT, Scope.ADMIN},
        ("PUT", "/api/v1/tasks/7/priority"): {Scope.SUBMIT, Scope.ADMIN},
        ("GET", "/api/v1/tokens"): {Scope.ADMIN},
        ("POST", "/api/v1/webhooks"): {Scope.ADMIN},
        ("POST", "/api/v1/workers/w/drain"): {Scope.ADMIN},
        ("GET", "/api/v1/workers/w"): {Scope.READ, Scope.SUBMIT, Scope.ADMIN},
        ("POST", "/api/v1/workers/register"): {Scope.WORKER},
        ("POST", "/api/v1/tasks/7/claim"): {Scope.WORKER},
        ("POST", "/api/v1/tasks/7/attempts/1/result"): {Scope.WORKER},
        ("POST", "/api/v1/uploads"): {Scope.SUBMIT, Scope.ADMIN, Scope.WORKER},
        ("GET", "/api/v1/content/x"): {Scope.READ, Scope.SUBMIT, Scope.ADMIN, Scope.WORKER},
        ("GET", "/health"): set(Scope),
    }
    for (method, path), allowed in calls.items():
        found = {scope for scope in Scope if guarded.ask(method, path, secrets[scope]) == 200}
        assert found == allowed, (method, path)
    assert guarded.ask("GET", "/task") == 401
    assert guarded.ask("GET", "/health") == 200


def test_a_token_ends(guarded: Guarded) -> None:
    token, secret = guarded.tokens.add("ann", Scope.SUBMIT, seconds=60)
    _, other = guarded.tokens.add("bob", Scope.ADMIN)
    assert guarded.ask("GET", "/task", secret) == 200
    assert guarded.ask("GET", "/task", secret[:-1] + "?") == 401
    guarded.now += 61
    assert guarded.ask("GET", "/task", secret) == 401
    guarded.tokens.remove("bob")
    assert guarded.ask("GET", "/task", other) == 401
    assert token.name not in secret
    kept = (guarded.database.url.database or "").encode()
    assert secret.encode() not in Path(kept.decode()).read_bytes()
    with pytest.raises(Unknown):
        guarded.tokens.remove("bob")
    with pytest.raises(WrongState):
        guarded.tokens.add("ann", Scope.READ)
    with pytest.raises(Invalid):
        guarded.tokens.add("(embedded)", Scope.WORKER)


def test_a_session_stands_for_its_token(guarded: Guarded) -> None:
    _, secret = guarded.tokens.add("ann", Scope.SUBMIT)
    _, worker = guarded.tokens.add("w", Scope.WORKER)
    assert guarded.sessions.open("lst_wrong") is None
    assert guarded.sessions.open(worker) is None
    cookie = f"{COOKIE}={guarded.sessions.open(secret)}"
    assert guarded.ask("POST", "/task", Cookie=cookie) == 200
    assert guarded.ask("POST", "/task", Cookie=cookie, Sec_Fetch_Site="cross-site") == 403
    assert guarded.ask("POST", "/task", Cookie=cookie[:-1] + "x") == 401
    guarded.tokens.remove("ann")
    guarded.now += 1
    guarded.tokens.add("ann", Scope.ADMIN)  # somebody else's by now
    assert guarded.ask("POST", "/task", Cookie=cookie) == 401


def test_apt_shows_a_token_as_a_password(guarded: Guarded) -> None:
    _, secret = guarded.tokens.add("ann", Scope.READ)
    basic = base64.b64encode(f"any:{secret}".encode()).decode()
    assert guarded.ask("GET", "/repository/stable/InRelease", Authorization=f"Basic {basic}") == 200
    assert guarded.ask("GET", "/repository/stable/InRelease", Authorization="Basic ?") == 401
    refused = guarded.client.get("/repository/stable/InRelease")
    assert refused.headers["www-authenticate"].startswith("Basic")


def test_too_many_requests_are_told_when_to_come_back(guarded: Guarded) -> None:
    _, secret = guarded.tokens.add("ann", Scope.READ)
    _, other = guarded.tokens.add("bob", Scope.READ)
    guarded.farm = replace(guarded.farm, requests=5)
    found = [guarded.ask("GET", "/task", secret) for _ in range(7)]
    assert found == [200] * 5 + [429] * 2
    assert guarded.ask("GET", "/task", other) == 200
    refused = guarded.client.get("/task", headers={"Authorization": f"Bearer {secret}"})
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_anybody_may_look_when_the_configuration_says_so(guarded: Guarded) -> None:
    guarded.tokens.add("ann", Scope.ADMIN)
    guarded.farm = replace(guarded.farm, anonymous_read=True)
    assert guarded.ask("GET", "/task") == 200
    assert guarded.ask("POST", "/task") == 401
    assert guarded.ask("GET", "/api/v1/tokens") == 401
