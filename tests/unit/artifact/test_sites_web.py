"""Sites on web servers that misbehave: redirects, half bodies, hangs, lies, refusals."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact_sites import (
    REPOSITORY,
    FakeForge,
    archive_of,
    candidates,
    document,
    limited,
    only_with,
    quick_terms,
    redirect,
)
from lapstrake.artifact.base import Forge, ReleaseSite, UrlSite
from lapstrake.artifact.base import Site as ArtifactSite
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.progress import Silent
from lapstrake.source.job import CancelledError
from parcels import identity_of
from webserver import Answer, Site, cut, fail, resumable, running_site, serve

_IDENTITY = identity_of()
_DATA = archive_of(_IDENTITY, os.urandom(50_000))
_PATH = "/fish-linux_x86_64-1.2.0%2Brc1-E3B0C44.tar.gz"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[Site]:
    with running_site() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Site]:
    """Another server, to which the first one redirects."""
    with running_site() as server:
        yield server


def get(site: ArtifactSite, target: Path, terms: Terms | None = None, *, place: int = 0) -> bytes:
    candidates(site, _IDENTITY)[place].get(target, terms or quick_terms(), Silent())
    return target.read_bytes()


def asked(server: Site, name: str) -> list[str | None]:
    """A header of all requests."""
    return [headers.get(name) for _, headers in server.requests]


def test_headers_and_query(server: Site, tmp_path: Path) -> None:
    server.put(f"{_PATH}?own=1&key=a%26b", only_with("X-Token", "s3cret", serve(_DATA)))
    site = UrlSite(url=f"{server.url}?own=1", headers={"X-Token": "${TOKEN}"}, query={"key": "a&b"})
    terms = quick_terms(environment={"TOKEN": "s3cret\n"})
    assert get(site, tmp_path / "got", terms) == _DATA
    assert asked(server, "User-Agent")[0].startswith("lapstrake/")  # type: ignore[union-attr]
    with pytest.raises(SiteError, match="TOKEN, which is not set"):
        get(site, tmp_path / "other")


@pytest.mark.parametrize(
    "answers",
    [
        [cut(_DATA, 20_000, ETag='"v1"'), resumable(_DATA)],
        [fail(503), fail(500), resumable(_DATA)],
        [cut(_DATA, 20_000), serve(_DATA)],
        [cut(_DATA, 0), fail(429, Retry_After="0"), serve(_DATA)],
        [cut(b"y" * 60_000, 20_000, ETag='"old"'), resumable(_DATA)],
    ],
    ids=["half", "busy", "no-ranges", "nothing", "changed"],
)
def test_what_may_work_is_tried_again(server: Site, tmp_path: Path, answers: list[Answer]) -> None:
    server.put(_PATH, *answers)
    assert get(UrlSite(url=server.url), tmp_path / "got") == _DATA
    assert len(server.requests) == len(answers)


def test_no_more_often_than_told(server: Site, tmp_path: Path) -> None:
    server.put(_PATH, fail(500))
    with pytest.raises(SiteError, match=r"^status 500 Internal Server Error$"):
        get(UrlSite(url=server.url), tmp_path / "got", quick_terms(retries=1))
    assert len(server.requests) == 2


@pytest.mark.parametrize(("status", "kind"), [(404, NotThereError), (410, NotThereError)])
def test_what_is_not_there_is_not_asked_for_twice(
    server: Site, tmp_path: Path, status: int, kind: type[SiteError]
) -> None:
    server.put(_PATH, fail(status))
    with pytest.raises(kind):
        get(UrlSite(url=server.url), tmp_path / "got")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403, 418])
def test_refusals_are_no_absence(server: Site, tmp_path: Path, status: int) -> None:
    server.put(_PATH, fail(status))
    with pytest.raises(SiteError, match=f"status {status}") as refused:
        get(UrlSite(url=server.url, query={}), tmp_path / "got")
    assert not isinstance(refused.value, NotThereError)
    assert len(server.requests) == 1


def test_a_hang_ends(server: Site, tmp_path: Path) -> None:
    server.put(_PATH, server.hang(_DATA[:1000]))
    before = time.monotonic()
    with pytest.raises(SiteError, match="no answer within"):
        get(UrlSite(url=server.url), tmp_path / "got", quick_terms(timeout=0.2, retries=1))
    assert time.monotonic() - before < 5
    assert (tmp_path / "got").read_bytes() == _DATA[:1000]  # and what came is kept
    server.put(_PATH, resumable(_DATA))
    assert get(UrlSite(url=server.url), tmp_path / "got") == _DATA


def test_a_silent_server_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        site = UrlSite(url=f"http://127.0.0.1:{mute.getsockname()[1]}")
        with pytest.raises(SiteError, match="no answer within"):
            get(site, tmp_path / "got", quick_terms(timeout=0.2, retries=0))
    with pytest.raises(SiteError, match="refused"):  # now nobody listens
        get(site, tmp_path / "got", quick_terms(retries=1))


def test_giving_up(server: Site, tmp_path: Path) -> None:
    server.put(_PATH, server.hang(_DATA[:1000]))
    terms = quick_terms(timeout=60.0)
    threading.Timer(0.2, terms.cancelled.cancel).start()
    with pytest.raises(CancelledError):
        get(UrlSite(url=server.url), tmp_path / "got", terms)


def test_redirects(server: Site, elsewhere: Site, tmp_path: Path) -> None:
    """A relative one, one to another server, and back: the secret stays with the first."""
    server.put(_PATH, redirect("moved/it?sig=1", 301))
    server.put("/moved/it?sig=1", redirect(f"{elsewhere.url}/a", 307))
    elsewhere.put("/a", redirect(f"{server.url}/b", 308))
    server.put("/b", resumable(_DATA))
    site = UrlSite(url=server.url, headers={"X-Token": "s3cret", "Authorization": "Basic x"})
    (tmp_path / "got").write_bytes(_DATA[:10])
    assert get(site, tmp_path / "got") == _DATA
    assert asked(server, "X-Token") == ["s3cret", "s3cret", None]
    assert asked(elsewhere, "X-Token") == asked(elsewhere, "Authorization") == [None]
    assert asked(server, "Range")[-1] == "bytes=10-"


@pytest.mark.parametrize(("count", "fine"), [(5, True), (6, False)])
def test_chains_of_redirects(server: Site, tmp_path: Path, count: int, fine: bool) -> None:
    server.put(_PATH, redirect("/1"))
    for number in range(1, count):
        server.put(f"/{number}", redirect(f"/{number + 1}"))
    server.put(f"/{count}", serve(_DATA))
    if fine:
        assert get(UrlSite(url=server.url), tmp_path / "got") == _DATA
        return
    with pytest.raises(SiteError, match="redirects"):
        get(UrlSite(url=server.url), tmp_path / "got")


@pytest.mark.parametrize("to", ["file:///etc/passwd", "gopher://a/", "http://[", ""])
def test_redirects_to_nowhere(server: Site, tmp_path: Path, to: str) -> None:
    server.put(_PATH, redirect(to))
    with pytest.raises(SiteError):
        get(UrlSite(url=server.url), tmp_path / "got", quick_terms(retries=0))
    assert not (tmp_path / "got").exists() or not (tmp_path / "got").read_bytes()


def test_proxies(server: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In lower case, too, and not for the hosts that ``no_proxy`` names."""
    server.put(f"http://files.example{_PATH}", serve(_DATA))
    monkeypatch.setenv("http_proxy", server.url)
    assert get(UrlSite(url="http://files.example"), tmp_path / "got") == _DATA
    monkeypatch.setenv("no_proxy", "files.example")
    with pytest.raises(SiteError):
        get(UrlSite(url="http://files.example"), tmp_path / "other", quick_terms(retries=0))


def test_no_secret_is_told(server: Site, tmp_path: Path) -> None:
    host = server.url.removeprefix("http://")
    site = UrlSite(
        url=f"http://me:hidden1@{host}/?a=hidden2",
        headers={"X": "hidden3"},
        query={"b": "hidden4", "c": "${V}"},
    )
    said = []
    for answer in (fail(404), fail(500), cut(_DATA, 9), redirect("//hidden6@[")):
        server.put(f"{_PATH}?a=hidden2&b=hidden4&c=hidden5", answer)
        with pytest.raises(SiteError) as refused:
            get(site, tmp_path / "got", quick_terms(retries=0, environment={"V": "hidden5"}))
        said.append(str(refused.value))
    assert len(server.requests) == 4
    assert "hidden" not in " ".join(said)


# Forges


def forge_of(server: Site, kind: Forge, *, token: str = "") -> FakeForge:
    forge = FakeForge(site=server, forge=kind, token=token)
    forge.publish("README", b"read me")
    return forge


def test_assets_are_fetched_from_a_storage(server: Site, elsewhere: Site, tmp_path: Path) -> None:
    """GitHub's API redirects to another host, which must not see the token."""
    forge = forge_of(server, Forge.GITHUB, token="s3cret")
    forge.publish(_IDENTITY.file_name, _DATA)
    server.put("/assets/2", redirect(f"{elsewhere.url}/blob?sig=1"))
    elsewhere.put("/blob?sig=1", resumable(_DATA))
    site = forge.described(api=True, token="s3cret")
    assert get(site, tmp_path / "got") == _DATA
    assert asked(elsewhere, "Authorization") == [None]
    assert set(asked(server, "Authorization")) == {"Bearer s3cret"}


def test_an_asset_elsewhere_sees_no_token(server: Site, elsewhere: Site, tmp_path: Path) -> None:
    forge = forge_of(server, Forge.GITEA, token="s3cret")
    elsewhere.put("/it", serve(_DATA))
    asset = {"name": _IDENTITY.file_name, "browser_download_url": f"{elsewhere.url}/it"}
    server.put(forge.api, document({"assets": [asset]}))
    assert get(forge.described(api=True, token="s3cret"), tmp_path / "got") == _DATA
    assert asked(elsewhere, "Authorization") == [None]


def test_the_rate_limit_is_told(server: Site, tmp_path: Path) -> None:
    forge = forge_of(server, Forge.GITHUB)
    server.put(forge.api, limited(int(time.time()) + 1500))
    with pytest.raises(SiteError, match=r"until \d\d:\d\d:\d\d \(in 25 min\); set GH_ENT") as said:
        get(forge.described(), tmp_path / "got", place=1)
    assert not isinstance(said.value, NotThereError)
    with pytest.raises(SiteError, match=r"\(in 25 min\)$"):
        get(forge.described(token="s3cret"), tmp_path / "got", place=1)
    assert len(server.requests) == 2  # asking again would not help


def test_being_asked_to_wait_long(server: Site, tmp_path: Path) -> None:
    forge = forge_of(server, Forge.GITHUB)
    server.put(forge.api, fail(429, Retry_After="600"))
    with pytest.raises(SiteError, match=r"asked too often until .* \(in 10 min\)"):
        get(forge.described(), tmp_path / "got", place=1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("place", [0, 1])
def test_a_refused_token(server: Site, tmp_path: Path, status: int, place: int) -> None:
    forge = forge_of(server, Forge.GITHUB)
    server.put(forge.public(_IDENTITY.file_name), fail(status))
    server.put(forge.api, fail(status))
    terms = quick_terms(environment={"GITHUB_TOKEN": "s3cret", "GITHUB_SERVER_URL": server.url})
    with pytest.raises(SiteError, match=f"token of GITHUB_TOKEN was refused.*{status}") as said:
        get(forge.described(), tmp_path / "got", terms, place=place)
    assert "s3c" not in str(said.value)
    with pytest.raises(SiteError, match=f"status {status}; set GH_ENTERPRISE_TOKEN"):
        get(forge.described(), tmp_path / "got", place=place)


@pytest.mark.parametrize("place", [0, 1])
def test_names_that_github_changes(server: Site, tmp_path: Path, place: int) -> None:
    """It makes a dot of a tilde when a file is uploaded."""
    identity = identity_of(version="1.2.0~rc1")
    forge = FakeForge(site=server, forge=Forge.GITHUB, tag="v1.2.0~rc1")
    forge.publish(identity.file_name.replace("~", "."), _DATA)
    candidates(forge.described(), identity)[place].get(tmp_path / "got", quick_terms(), Silent())
    assert (tmp_path / "got").read_bytes() == _DATA


@pytest.mark.parametrize("kind", list(Forge))
def test_no_release(server: Site, tmp_path: Path, kind: Forge) -> None:
    site = ReleaseSite(forge=kind, repository=REPOSITORY, url=server.url, tag="v9")
    with pytest.raises(NotThereError, match="owner/tools has no release v9, or is private: set G"):
        get(site, tmp_path / "got", place=1)
    known = ReleaseSite(forge=kind, repository=REPOSITORY, url=server.url, tag="v9", token="s3cret")
    with pytest.raises(NotThereError, match="no release v9 that the token of the site's token"):
        get(known, tmp_path / "got", place=1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"assets": {}}',
        b'{"assets": [1, {"name": []}]}',
        b"\xff",
        b"[" * 9999,
    ],
)
def test_answers_that_make_no_sense(server: Site, tmp_path: Path, body: bytes) -> None:
    forge = forge_of(server, Forge.GITHUB)
    server.put(forge.api, serve(body))
    with pytest.raises(SiteError):
        get(forge.described(), tmp_path / "got", place=1)


@pytest.mark.parametrize("url", [None, 7, "", "file:///etc/passwd", "http://[", "//a"])
def test_assets_at_no_address(server: Site, tmp_path: Path, url: object) -> None:
    forge = forge_of(server, Forge.GITHUB)
    server.put(forge.api, document({"assets": [{"name": _IDENTITY.file_name, "url": url}]}))
    with pytest.raises(SiteError):
        get(forge.described(), tmp_path / "got", place=1)
    assert not (tmp_path / "got").exists()


def test_an_asset_that_is_not_what_the_forge_says(server: Site, tmp_path: Path) -> None:
    forge = forge_of(server, Forge.GITHUB)
    forge.publish(_IDENTITY.file_name, _DATA, digest=f"sha256:{'0' * 64}")
    with pytest.raises(SiteError, match="something else than it says"):
        get(forge.described(), tmp_path / "got", place=1)
    assert not (tmp_path / "got").exists()
