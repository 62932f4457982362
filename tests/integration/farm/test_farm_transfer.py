"""Bytes over HTTP with a real server: uploads, content, copies of repositories, sources."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from farm_server import FarmServer, farm_server
from lapstrake.farm.client.http import Connection
from lapstrake.farm.worker.link import Link
from lapstrake.farm.worker.mirror import mirror_repository
from lapstrake.farm.worker.sources import ServerSources
from lapstrake.names import BranchName, Digest
from lapstrake.progress import Silent
from lapstrake.repository.check import check_repository
from lapstrake.repository.flat import Repository
from lapstrake.repository.open import repository_of
from lapstrake.repository.signing import Signer
from roots import Recorder, open_work_dir, write_configuration


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FarmServer]:
    work_dir = tmp_path_factory.mktemp("server")
    write_configuration(work_dir)
    settings = ("farm.upload_limit=32M", "farm.disk_low=1M")
    with farm_server(
        work_dir, settings=settings, variables={"LAPSTRAKE_DL_DIR": str(work_dir / "downloads")}
    ) as running:
        yield running


@pytest.fixture
def client(server: FarmServer) -> Iterator[httpx2.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def link(server: FarmServer) -> Link:
    return Link(Connection(server.url, patience=5))


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def begin(client: httpx2.Client) -> str:
    answer = client.post("/api/v1/uploads")
    assert answer.status_code == 201, answer.text
    return f"/api/v1/uploads/{answer.json()['id']}"


def cut(server: FarmServer, method: str, path: str, sent: bytes, size: int) -> None:
    """Begin to send a body, and break off."""
    parts = urlsplit(server.url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as connection:
        head = f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        connection.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode() + sent)
        time.sleep(0.2)


def _settled(client: httpx2.Client, path: str) -> int:
    """How far an upload got, once what was on its way has come."""
    seen = [-1]
    for _ in range(100):
        seen.append(int(client.head(path).headers["Upload-Offset"]))
        if seen[-1] and seen[-5:] == [seen[-1]] * 5:
            break
        time.sleep(0.1)
    return seen[-1]


def test_an_upload_that_was_cut_goes_on(server: FarmServer, client: httpx2.Client) -> None:
    data = os.urandom(5 << 20)
    path = begin(client)
    cut(server, "PATCH", f"{path}?offset=0", data[: 3 << 20], len(data))
    offset = _settled(client, path)
    assert 0 < offset <= 3 << 20
    assert client.get(path).json() == {"offset": offset}
    answer = client.patch(path, params={"offset": offset}, content=data[offset:])
    assert answer.json() == {"offset": len(data)}
    answer = client.put(path, json={"digest": digest(data)})
    assert answer.json() == {"digest": digest(data), "size": len(data)}
    assert client.get(f"/api/v1/content/{digest(data)}").content == data
    assert client.get(path).status_code == 404


def test_what_is_wrong_with_uploads(client: httpx2.Client) -> None:
    path = begin(client)
    client.patch(path, params={"offset": 0}, content=b"abc")
    refused = client.patch(path, params={"offset": 1}, content=b"x")
    assert (refused.status_code, refused.json()["size"]) == (409, 3)
    refused = client.put(path, json={"digest": digest(b"other")})
    assert (refused.status_code, refused.json()["digest"]) == (422, digest(b"abc"))
    assert client.put(path, json={"digest": digest(b"abc")}).status_code == 404
    assert client.post("/api/v1/uploads", json={"size": 1 << 40}).status_code == 413
    assert client.post("/api/v1/uploads", json={"size": -1}).status_code == 422
    assert client.patch("/api/v1/uploads/xyz", params={"offset": 0}).status_code == 422
    assert client.get("/api/v1/content/sha256:abc").status_code == 422
    assert client.get(f"/api/v1/content/{digest(b'nobody has this')}").status_code == 404
    for refused in (client.get(f"/api/v1/uploads/{'0' * 32}"), client.get("/artifacts/none")):
        assert refused.status_code == 404
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.json()["resolution"] or refused.json()["detail"]


def test_bundles_that_mean_harm(server: FarmServer, client: httpx2.Client) -> None:
    task = client.post("/task").json()["id"]
    path, letters = f"/task/{task}/build_bundle", b"a" * (1 << 20)
    bomb = zlib.compressobj(wbits=31)
    packed = b"".join(bomb.compress(letters) for _ in range(300)) + bomb.flush()
    refused = client.put(path, content=packed)
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid")
    assert "larger than" in refused.json()["detail"]
    cut(server, "PUT", path, packed[:1000], len(packed))
    for _ in range(50):
        scratch = list((server.work_dir / "farm" / "contents" / "scratch").glob(".*"))
        if not scratch:
            break
        time.sleep(0.1)
    assert scratch == [], "nothing unpacked is left"
    assert client.get(f"/task/{task}/status").json()["state"] == "new"


def test_content_in_parts(client: httpx2.Client) -> None:
    path = begin(client)
    client.patch(path, params={"offset": 0}, content=b"0123456789")
    name = digest(b"0123456789")
    assert client.post("/api/v1/content/missing", json={"digests": [name]}).json() == [name]
    client.put(path, json={"digest": name})
    assert client.post("/api/v1/content/missing", json={"digests": [name]}).json() == []
    part = client.get(f"/api/v1/content/{name}", headers={"Range": "bytes=3-5"})
    assert (part.status_code, part.content) == (206, b"345")
    assert client.head(f"/api/v1/content/{name}").headers["content-length"] == "10"
    assert client.get(f"/api/v1/content/{name}", headers={"Range": "bytes=10-"}).status_code == 416


@pytest.fixture
def repository(server: FarmServer) -> Repository:
    return repository_of(open_work_dir(server.work_dir), BranchName("stable"))


def package(folder: Path, name: str, text: str = "") -> Path:
    (folder / "DEBIAN").mkdir(parents=True, exist_ok=True)
    (folder / "DEBIAN" / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\n"
        f"Maintainer: A <a@example.org>\nDescription: {name}{text}\n"
    )
    file = folder.parent / f"{name}_1_all.deb"
    command = ["dpkg-deb", "-Znone", "--root-owner-group", "-b", str(folder), str(file)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return file


def _fetched(server: FarmServer) -> int:
    return server.said().count("GET /api/v1/content/")


def test_a_copy_of_a_repository(
    server: FarmServer, link: Link, repository: Repository, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    theirs = Repository(copy, BranchName("stable"), _no_key)
    mirror_repository(link, "stable", copy, {"amd64"}, Silent())
    assert theirs.packages() == ()

    repository.publish([package(tmp_path / "tree", name) for name in ("one", "two")])
    mirror_repository(link, "stable", copy, {"amd64"}, Silent())
    assert check_repository(copy) == ()
    assert theirs.state() == repository.state()
    assert theirs.packages() == repository.packages()

    before = _fetched(server)
    mirror_repository(link, "stable", copy, {"amd64"}, Silent())
    assert _fetched(server) == before, "nothing was new"

    repository.publish([package(tmp_path / "tree", "one", " rebuilt")])
    repository.remove("two")
    for _ in range(2):  # what goes stays for one more round
        mirror_repository(link, "stable", copy, {"amd64"}, Silent())
        repository.publish([package(tmp_path / "tree", "three")])
    mirror_repository(link, "stable", copy, {"amd64"}, Silent())
    assert check_repository(copy) == ()
    assert [entry.package for entry in theirs.packages()] == ["one", "three"]
    assert not (copy / "two_1_all.deb").exists()

    damaged = copy / "three_1_all.deb"
    damaged.write_bytes(b"short")
    mirror_repository(link, "stable", copy, {"amd64"}, Silent())
    assert check_repository(copy) == ()


def _no_key() -> Signer:
    raise AssertionError("a worker has no key")


def test_apt_reads_the_repository(
    client: httpx2.Client, repository: Repository, tmp_path: Path
) -> None:
    repository.publish([package(tmp_path / "tree", "four")])
    for name in ("InRelease", "Packages", "key.asc", "four_1_all.deb"):
        answer = client.get(f"/repository/stable/{name}")
        assert answer.content == (repository.path / name).read_bytes(), name
    told = client.get("/repository/stable/stable.sources").text
    assert f"URIs: {str(client.base_url).rstrip('/')}/repository/stable" in told
    assert client.get("/branches/stable.sources").text == told
    etag = client.head("/repository/stable/InRelease").headers["etag"]
    same = client.get("/repository/stable/InRelease", headers={"If-None-Match": etag})
    assert same.status_code == 304
    for name in (".lapstrake/lock", "..%2F..%2Fconf%2Fconfig.toml", "by-hash", "none", ""):
        assert client.get(f"/repository/stable/{name}").status_code == 404, name
    unknown = client.get("/api/v1/branches/nowhere/repository")
    assert (unknown.status_code, unknown.json()["branches"]) == (404, ["stable"])
    state = client.get("/api/v1/branches/stable/repository", params={"arch": "amd64"}).json()
    assert state["digest"] == str(repository.state())
    wrong = client.get("/api/v1/branches/stable/repository", params={"arch": 'amd64,"\u20ac'})
    assert wrong.status_code == 422
    asked = client.get("/api/v1/branches/stable/repository")
    known = {"If-None-Match": asked.headers["etag"]}
    assert client.get("/api/v1/branches/stable/repository", headers=known).status_code == 304
    repository.publish([package(tmp_path / "tree", "four", " changed")])
    assert client.get("/api/v1/branches/stable/repository", headers=known).status_code == 200


def test_the_site_of_artifacts(server: FarmServer, client: httpx2.Client) -> None:
    site = server.work_dir / "farm" / "artifacts"
    site.mkdir(exist_ok=True)
    (site / "sys-portable-1.0-ABC.tar.gz").write_bytes(b"0123456789")
    part = client.get("/artifacts/sys-portable-1.0-ABC.tar.gz", headers={"Range": "bytes=8-"})
    assert (part.status_code, part.content) == (206, b"89")
    for name in ("other", ".hidden", "..%2Fengine.db", "%00", ""):
        assert client.get(f"/artifacts/{name}").status_code == 404, name


def test_sources_are_shared(
    server: FarmServer, client: httpx2.Client, link: Link, tmp_path: Path
) -> None:
    heard = Recorder()
    sources = ServerSources(link, heard)
    data = os.urandom(100_000)
    wanted = [Digest(name, hashlib.new(name, data).hexdigest()) for name in ("sha512", "sha256")]
    assert not sources.find(wanted[0], tmp_path / "no")
    file = tmp_path / "source.tar"
    file.write_bytes(data)
    sources.offer(file, wanted[1])
    for each in wanted:
        target = tmp_path / each.algorithm
        assert sources.find(each, target)
        assert target.read_bytes() == data
    assert heard.warnings == []
    assert client.get("/api/v1/sources/crc:12").status_code == 422


def test_stacks_of_nobody(client: httpx2.Client) -> None:
    document = client.get("/api/v1/branches/stable/stack", params={"arch": "arm64"}).json()
    assert (document["base"], document["layers"], document["served"]) == (None, [], False)
    assert "URIs:" in document["listed"]["text"]
    assert client.get("/api/v1/branches/no/stack").status_code == 404
    wrong = client.get("/api/v1/branches/stable/stack", params={"arch": "vax"})
    assert wrong.status_code == 422
    assert client.get(f"/api/v1/layers/amd64/{'0' * 64}").status_code == 404
    assert client.get("/api/v1/layers/amd64/x").status_code == 404
    packed = {"digest": digest(b"no layer"), "size": 8}
    assert client.put(f"/api/v1/layers/arm64/{'0' * 64}", json=packed).status_code == 422
    assert client.put("/api/v1/branches/stable/stack", json=document).status_code == 422


def test_a_branch_whose_list_is_wrong(server: FarmServer, client: httpx2.Client) -> None:
    broken = server.work_dir / "conf" / "source_lists" / "broken.list"
    broken.write_text("nonsense\n")
    try:
        for what in ("stack", "repository"):
            refused = client.get(f"/api/v1/branches/broken/{what}")
            assert (refused.status_code, refused.json()["type"]) == (409, "/problems/wrong-state")
            assert "broken.list" in refused.json()["detail"]
        unknown = client.get("/api/v1/branches/nowhere/stack")
        assert unknown.json()["branches"] == ["stable"]
    finally:
        broken.unlink()


def test_a_state_that_changes_meanwhile_is_asked_for_again(
    server: FarmServer,
    link: Link,
    repository: Repository,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The server publishes between its answer and our downloads."""
    repository.publish([package(tmp_path / "tree", "five")])
    answers = [link.connection.call("GET", "/api/v1/branches/stable/repository")]
    repository.remove("five")
    real = link.connection.call

    def call(method: str, path: str, **options: Any) -> httpx2.Response:
        return answers.pop() if answers else real(method, path, **options)

    monkeypatch.setattr(link.connection, "call", call)
    mirror_repository(link, "stable", tmp_path / "copy", {"amd64"}, Silent())
    assert check_repository(tmp_path / "copy") == ()
    assert not answers
