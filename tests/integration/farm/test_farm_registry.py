"""The registry in the farm's server: who pulls, who pushes, for whom images are made, its words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx2
import pytest

from farm_server import FarmServer, farm_server
from registry_server import error_code, push_blob, push_image, sha256

_REQUESTS = 150
_BLOB = b"a layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """A farm at which everybody may look, and the secrets of its tokens by scope."""

    server: FarmServer
    secrets: Mapping[str, str]

    def client(self, scope: str = "") -> httpx2.Client:
        """As docker's clients ask: with a token as the password of any user, or as nobody."""
        auth = httpx2.BasicAuth("anybody", self.secrets[scope]) if scope else None
        return self.server.client(auth=auth)


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    settings = ("farm.anonymous_read=true", f"farm.requests={_REQUESTS}")
    with farm_server(tmp_path_factory.mktemp("registry"), settings=settings) as server:
        with server.client() as local:
            secrets = {"admin": _token(local, "admin")}
        with server.client(secrets["admin"]) as admin:
            secrets |= {scope: _token(admin, scope) for scope in ("read", "submit", "worker")}
        opened = Open(server=server, secrets=secrets)
        with opened.client("submit") as client:
            push_image(client, "push/tiny", "v1", _BLOB)
        yield opened


def _token(client: httpx2.Client, scope: str, name: str = "") -> str:
    made = client.post("/api/v1/tokens", json={"name": name or scope, "scope": scope})
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


def _proof(answer: httpx2.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def test_clients_without_a_token_are_sent_for_one_and_look(farm: Open) -> None:
    with farm.client() as client:
        asked = client.get("/v2/")
        assert (asked.status_code, error_code(asked)) == (401, "UNAUTHORIZED")
        said = asked.headers["www-authenticate"]
        realm = re.fullmatch(r'Bearer realm="(.*)",service="lapstrake"', said)
        assert realm
        assert realm[1] == f"{farm.server.url}/token"
        anybody = _proof(client.get(realm[1], params={"service": "lapstrake"}))
        assert client.get("/v2/", headers=anybody).status_code == 200
        pulled = client.get("/v2/push/tiny/manifests/v1", headers=anybody)
        assert pulled.status_code == 200
        begun = client.post("/v2/push/tiny/blobs/uploads/", headers=anybody)
        assert (begun.status_code, error_code(begun)) == (401, "UNAUTHORIZED")
        assert 'scope="repository:push/tiny:pull,push"' in begun.headers["www-authenticate"]
        wrong = client.get("/token", auth=("anybody", "lst_wrong"))
        assert (wrong.status_code, wrong.headers["www-authenticate"]) == (
            401,
            'Basic realm="lapstrake"',
        )


def test_for_strangers_nothing_is_made(farm: Open) -> None:
    with farm.client() as client, farm.client("read") as reader:
        refused = client.get("/v2/shell/git/manifests/stable")
        assert (refused.status_code, error_code(refused)) == (403, "DENIED")
        assert "docker login" in refused.text
        foreign = {"Sec-Fetch-Site": "cross-site"}
        refused = reader.get("/v2/shell/git/manifests/stable", headers=foreign)
        assert (refused.status_code, error_code(refused)) == (403, "DENIED")
        assert client.get("/jobs/1").status_code == 404
        figures = client.get("/metrics").text
    assert 'lapstrake_pulls_total{how="refused"} 2.0' in figures
    assert 'lapstrake_pulls_total{how="made"}' not in figures


def test_a_proof_allows_what_its_token_does_and_ends_with_it(farm: Open) -> None:
    with farm.client("admin") as admin, farm.client() as client:
        secret = _token(admin, "submit", "gone-soon")
        shown = httpx2.BasicAuth("x", secret)
        proof = _proof(client.get("/token", auth=shown))
        assert secret not in proof["Authorization"]
        begun = client.post("/v2/push/other/blobs/uploads/", headers=proof)
        assert begun.status_code == 202
        assert client.get("/api/v1/tasks", headers=proof).status_code == 200
        session = {"Cookie": f"lapstrake_session={proof['Authorization'].split()[1]}"}
        assert client.post("/task", headers=session).status_code == 401
        assert admin.delete("/api/v1/tokens/gone-soon").is_success
        ended = client.get("/v2/push/tiny/manifests/v1", headers=proof)
        assert (ended.status_code, error_code(ended)) == (401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "scope, path, status", [("read", "push/a", 403), ("worker", "push/a", 403)]
)
def test_who_may_not_push_is_told_what_is_needed(
    farm: Open, scope: str, path: str, status: int
) -> None:
    with farm.client(scope) as client:
        refused = client.post(f"/v2/{path}/blobs/uploads/")
        assert (refused.status_code, error_code(refused)) == (status, "DENIED")
        assert "scope submit" in refused.text
        looked = client.get("/v2/push/tiny/manifests/v1")
        assert looked.status_code == (200 if scope == "read" else 403)


def test_large_blobs_and_many_pass_where_requests_are_bounded(farm: Open) -> None:
    large = bytes(33 << 20)  # more than any other request may have
    with farm.client("submit") as client:
        push_blob(client, "push/large", large)
    with farm.client("read") as client:
        path = f"/v2/push/tiny/blobs/{sha256(_BLOB)}"
        found = {client.get(path).status_code for _ in range(_REQUESTS + 10)}
        assert found == {200}
        asked = [client.get("/v2/") for _ in range(_REQUESTS + 20)]
        last = asked[-1]
        assert asked[0].status_code == 200
        assert (last.status_code, error_code(last)) == (429, "TOOMANYREQUESTS")
        assert int(last.headers["retry-after"]) > 0
    assert "Traceback" not in farm.server.said()
