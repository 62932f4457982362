"""Every route of the farm, API and pages, and who may ask for it: a new one must be written here.

The routes are the real ones, behind the real gate; nothing is behind those of the API.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lapstrake.config.model import FarmConfig
from lapstrake.farm.access.gate import Gate
from lapstrake.farm.access.rates import Rates
from lapstrake.farm.access.sessions import COOKIE, Sessions
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.api import routers
from lapstrake.farm.pages.routes import page_routes
from lapstrake.farm.serving.registry import refusal, registry_proofs
from lapstrake.farm.tables.database import Database
from lapstrake.farm.tables.migrate import upgrade
from lapstrake.farm.values.scopes import Scope
from lapstrake.registry.access.tokens import TOKEN
from lapstrake.registry.protocol.endpoints_blobs import BlobEndpoints
from lapstrake.registry.protocol.endpoints_lists import ListEndpoints
from lapstrake.registry.protocol.endpoints_manifests import ManifestEndpoints
from lapstrake.registry.protocol.endpoints_uploads import UploadEndpoints

ANYBODY, READ, SUBMIT, ADMIN, WORKER = "anybody", "read", "submit", "admin", "worker"
_LOOK, _ACT, _RUN, _BUILD = {READ, SUBMIT, ADMIN}, {SUBMIT, ADMIN}, {ADMIN}, {WORKER}
_EVERYBODY = {ANYBODY, READ, SUBMIT, ADMIN, WORKER}

ALLOWED = (
    (
        _EVERYBODY,
        """
        GET /health, GET /ready, GET /login, POST /login, POST /logout, GET /static
        """,
    ),
    (
        _LOOK | _BUILD,
        """
        GET /api/v1/branches/{name}, GET /api/v1/branches/{name}/packages,
        GET /api/v1/branches/{branch}/repository, GET /api/v1/branches/{branch}/stack,
        GET /api/v1/content/{digest}, GET /api/v1/layers/{arch}/{key},
        GET /api/v1/sources/{digest}, GET /api/v1/uploads/{upload},
        GET /artifacts/{name}, GET /repository/{branch}/{file:path}
        """,
    ),
    (
        _ACT | _BUILD,
        """
        POST /api/v1/content/missing, POST /api/v1/uploads,
        PATCH /api/v1/uploads/{upload}, PUT /api/v1/uploads/{upload}
        """,
    ),
    (
        _BUILD,
        """
        PUT /api/v1/branches/{branch}/stack, PUT /api/v1/layers/{arch}/{key}, POST /api/v1/sources,
        POST /api/v1/tasks/{id}/claim, PATCH /api/v1/tasks/{id}/attempts/{number}/log,
        POST /api/v1/tasks/{id}/attempts/{number}/result,
        POST /api/v1/tasks/{id}/attempts/{number}/samples,
        PUT /api/v1/tasks/{id}/attempts/{number}/state, POST /api/v1/workers/register,
        POST /api/v1/workers/{name}/heartbeat, POST /api/v1/workers/{name}/goodbye
        """,
    ),
    (
        _ACT,
        """
        POST /api/v1/groups, POST /api/v1/groups/{id}/cancel, POST /api/v1/groups/{id}/resume,
        POST /api/v1/tasks, POST /api/v1/tasks/batch, POST /api/v1/tasks/{id}/cancel,
        POST /api/v1/tasks/{id}/retry, PUT /api/v1/tasks/{id}/priority, POST /task,
        PUT /task/{id}/branch, PUT /task/{id}/build, PUT /task/{id}/build_bundle,
        GET /submit, POST /submit, POST /groups/{id}/cancel, POST /groups/{id}/resume,
        POST /tasks/{id}/cancel, POST /tasks/{id}/priority, POST /tasks/{id}/retry,
        PUT /v2/{name:path}/manifests/{reference}, DELETE /v2/{name:path}/manifests/{reference},
        DELETE /v2/{name:path}/blobs/{digest}, POST /v2/{name:path}/blobs/uploads,
        POST /v2/{name:path}/blobs/uploads/,
        PATCH /v2/{name:path}/blobs/uploads/{upload}, PUT /v2/{name:path}/blobs/uploads/{upload},
        DELETE /v2/{name:path}/blobs/uploads/{upload}
        """,
    ),
    (
        _RUN,
        """
        GET /api/v1/tokens, POST /api/v1/tokens, DELETE /api/v1/tokens/{name},
        GET /api/v1/webhooks, POST /api/v1/webhooks, DELETE /api/v1/webhooks/{id},
        GET /api/v1/webhooks/{id}/deliveries, POST /api/v1/webhooks/{id}/ping,
        DELETE /api/v1/workers/{name}, POST /api/v1/workers/{name}/drain,
        POST /api/v1/workers/{name}/resume, GET /tokens, POST /tokens, POST /tokens/{name}/remove,
        POST /workers/{name}/drain, POST /workers/{name}/forget, POST /workers/{name}/resume
        """,
    ),
    (
        _LOOK,
        """
        GET /, GET /api/v1/branches, GET /api/v1/docs, GET /api/v1/events,
        GET /api/v1/events/stream, GET /api/v1/groups, GET /api/v1/groups/{id},
        GET /api/v1/groups/{id}/tasks, GET /api/v1/history, GET /api/v1/images,
        GET /api/v1/openapi.json, GET /api/v1/queue, GET /api/v1/tasks, GET /api/v1/tasks/{id},
        GET /api/v1/tasks/{id}/artifacts, GET /api/v1/tasks/{id}/artifacts/{name},
        GET /api/v1/tasks/{id}/attempts, GET /api/v1/tasks/{id}/events,
        GET /api/v1/tasks/{id}/log, GET /api/v1/tasks/{id}/log/events,
        GET /api/v1/tasks/{id}/resources, GET /api/v1/tasks/{id}/why, GET /api/v1/workers,
        GET /api/v1/workers/{name}, GET /branches, GET /branches/{name},
        GET /branches/{name}.sources, GET /builder/status, GET /groups, GET /groups/{id},
        GET /history, GET /images, GET /images/{title:path}, GET /jobs/events, GET /jobs/{number},
        GET /jobs/{number}/events, GET /jobs/{number}/log, GET /metrics, GET /problems/{kind},
        GET /queue, GET /task,
        GET /task/{id}/status, GET /tasks, GET /tasks/{id}, GET /tasks/{id}/log/hits,
        GET /tasks/{id}/log/lines, GET /workers, GET /workers/{name}, GET /token, GET /v2, GET /v2/,
        GET /v2/_catalog, GET /v2/{name:path}/tags/list, GET /v2/{name:path}/referrers/{digest},
        GET /v2/{name:path}/manifests/{reference}, GET /v2/{name:path}/blobs/{digest},
        GET /v2/{name:path}/blobs/uploads/{upload}
        """,
    ),
)


def routes_of_pages() -> list[Route]:
    return page_routes(None, None, None, object())  # type: ignore[arg-type,return-value]


def routes_of_the_registry() -> list[Route]:
    core: Any = None
    kinds = (ManifestEndpoints, UploadEndpoints, BlobEndpoints, ListEndpoints)
    return [*(route for kind in kinds for route in kind(core).routes()), Route(TOKEN, _reached)]


def routes() -> list[tuple[str, str]]:
    """All methods and paths; HEAD goes with GET."""
    api = [route for router in routers.ALL for route in router.routes]
    found = {
        (method, route.path)  # type: ignore[attr-defined]
        for route in (*api, *routes_of_pages(), *routes_of_the_registry())
        for method in getattr(route, "methods", None) or ("GET",)
    }
    return sorted(
        (found | {("GET", "/api/v1/openapi.json")}) - {each for each in found if each[0] == "HEAD"}
    )


def table() -> dict[tuple[str, str], set[str]]:
    """What the table above says."""
    return {
        tuple(line.split()): who  # type: ignore[misc]
        for who, text in ALLOWED
        for line in text.strip().split(",")
    }


def path_of(route: str) -> str:
    return re.sub(r"\{[^}]*\}", "7", route)


class Walker:
    """Asks for everything in everybody's name."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'farm.db'}")
        upgrade(self.database)
        tokens = Tokens(self.database)
        sessions = Sessions(tokens, b"k" * 32)
        self.secrets = {scope.value: tokens.add(scope.value, scope)[1] for scope in Scope}
        self.cookies = {name: sessions.open(secret) for name, secret in self.secrets.items()}
        api = [route for router in routers.ALL for route in router.routes]
        stubs = [
            Route(route.path, _reached, methods=route.methods)  # type: ignore[attr-defined]
            for route in (*routes_of_the_registry(), *api)
        ]
        document = Route("/api/v1/openapi.json", _reached)
        gate = Gate(
            app=Starlette(routes=[*stubs, document, *routes_of_pages()]),
            tokens=tokens,
            sessions=sessions,
            proofs=registry_proofs(tokens, b"k" * 32),
            rates=Rates(),
            answer=refusal(lambda: False),
            loopback=True,
            farm=lambda: FarmConfig(requests=1_000_000),
        )
        self.client = TestClient(
            gate, base_url="http://127.0.0.1", raise_server_exceptions=False, follow_redirects=False
        )

    def reaches(self, method: str, path: str, who: str, *, browser: bool = False) -> bool:
        """Whether somebody gets behind the gate, or behind a page's own door."""
        headers = {"Accept": "text/html"}
        if who != ANYBODY and browser:
            headers["Cookie"] = f"{COOKIE}={self.cookies[who]}"
        elif who != ANYBODY:
            headers["Authorization"] = f"Bearer {self.secrets[who]}"
        answer = self.client.request(method, path, headers=headers)
        to_the_door = answer.headers.get("location", "").startswith("/login")
        return answer.status_code not in {401, 403} and not to_the_door


async def _reached(request: Request) -> Response:
    return PlainTextResponse("reached")


@pytest.fixture(scope="module")
def walker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walker]:
    made = Walker(tmp_path_factory.mktemp("scopes"))
    yield made
    made.client.close()
    made.database.close()


def test_every_route_is_in_the_table() -> None:
    assert set(routes()) == set(table())


def test_every_route_takes_whom_it_should(walker: Walker) -> None:
    found = {
        (method, path): {who for who in _EVERYBODY if walker.reaches(method, path_of(path), who)}
        for method, path in routes()
    }
    assert found == table()


def test_a_browsers_session_may_do_what_its_token_may(walker: Walker) -> None:
    pages = {(method, route.path) for route in routes_of_pages() for method in ("GET", "POST")}
    for (method, path), allowed in table().items():
        if (method, path) in pages:
            for who in (READ, SUBMIT, ADMIN):
                assert walker.reaches(method, path_of(path), who, browser=True) == (who in allowed)


@pytest.mark.parametrize("ending", ["%0A", "%0D%0A", "%00", "%C2%85", "%E2%80%A8"])
def test_no_path_is_read_in_two_ways(walker: Walker, ending: str) -> None:
    """A route takes a line's end after its path, which the gate does not see in its own table."""
    for method, path in routes():
        answer = walker.client.request(method, path_of(path) + ending)
        assert answer.status_code == 404, (method, path)
        assert re.match(r"application/(problem\+)?json", answer.headers["content-type"])
