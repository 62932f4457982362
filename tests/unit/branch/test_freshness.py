"""Looking upstream: conditional requests against a real server."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.place.freshness import ABSENT, Freshness, look
from webserver import Request, Site, fail, running_site, serve


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        yield running


def conditional(body: bytes, **headers: str) -> object:
    """Answers 304 to a request that knows the state already."""

    def answer(request: Request) -> None:
        known = request.headers.get("If-None-Match") == headers.get("ETag") and "ETag" in headers
        since = request.headers.get("If-Modified-Since")
        if known or (since is not None and since == headers.get("Last_Modified")):
            request.reply(b"", 304)
        else:
            request.reply(body, **headers)  # type: ignore[arg-type]

    return answer


def again(url: str, seen: Freshness) -> Freshness:
    release = seen.releases[url]
    return look((url,), digests={url: release.digest}, headers={url: release.headers})


@pytest.mark.parametrize("header", ["ETag", "Last_Modified"])
def test_an_unchanged_file_is_not_sent_again(site: Site, header: str) -> None:
    value = {"ETag": '"v1"', "Last_Modified": "Fri, 01 Aug 2025 10:00:00 GMT"}[header]
    url = site.put("/InRelease", conditional(b"one", **{header: value}))  # type: ignore[arg-type]
    first = look((url,), digests={}, headers={})
    assert first.changed == (url,)
    assert first.releases[url].digest == sha(b"one")
    second = again(url, first)
    assert second.changed == ()
    assert second.releases == first.releases
    condition = {"ETag": "If-None-Match", "Last_Modified": "If-Modified-Since"}[header]
    assert {name.title() for name in site.requests[1][1]} >= {condition}


def test_a_changed_file_is_seen(site: Site) -> None:
    url = site.put("/InRelease", serve(b"one", ETag='"1"'), serve(b"two", ETag='"2"'))
    first = look((url,), digests={}, headers={})
    second = again(url, first)
    assert second.changed == (url,)
    assert second.releases[url].digest == sha(b"two")


def test_a_server_without_validators_is_read_each_time(site: Site) -> None:
    url = site.put("/InRelease", serve(b"one"))
    assert again(url, look((url,), digests={}, headers={})).changed == ()


def test_an_old_archive_has_only_release(site: Site) -> None:
    site.put("/Release", serve(b"old"))
    url = f"{site.url}/InRelease"
    assert look((url,), digests={}, headers={}).releases[url].digest == sha(b"old")


def test_nothing_there_is_a_state_and_a_failure_is_none(site: Site) -> None:
    gone, broken = f"{site.url}/gone/InRelease", site.put("/broken/InRelease", fail(500))
    seen = look((gone, broken), digests={gone: sha(b"x")}, headers={})
    assert seen.releases[gone].digest == ABSENT
    assert seen.changed == (gone,)
    assert broken not in seen.releases
    assert "500" in seen.failed[broken]


def test_a_server_that_is_gone_fails() -> None:
    with running_site() as site:
        url = f"{site.url}/InRelease"
    seen = look((url,), digests={url: sha(b"x")}, headers={})
    assert seen.changed == ()
    assert url in seen.failed


def test_files_and_other_schemes(tmp_path: Path) -> None:
    (tmp_path / "InRelease").write_bytes(b"local")
    url, missing, odd = f"file://{tmp_path}/InRelease", f"file:{tmp_path}/no", "cdrom:[x]/InRelease"
    seen = look((url, missing, odd), digests={url: sha(b"local")}, headers={})
    assert seen.changed == (missing,)
    assert seen.releases[missing].digest == ABSENT
    assert odd in seen.failed


def test_many_are_asked_for_at_once(site: Site) -> None:
    urls = tuple(site.put(f"/{n}/InRelease", serve(str(n).encode())) for n in range(20))
    seen = look(urls, digests={}, headers={})
    assert {url: release.digest for url, release in seen.releases.items()} == {
        url: sha(str(n).encode()) for n, url in enumerate(urls)
    }
    assert look((), digests={}, headers={}).releases == {}
