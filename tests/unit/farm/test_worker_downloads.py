"""Content on its way to a worker: broken connections and busy servers are no end of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.errors import ChecksumError
from lapstrake.farm.client.http import Connection
from lapstrake.farm.problems import Unknown
from lapstrake.farm.worker.link import Link
from webserver import Site, cut, fail, resumable, running_site, serve

BODY = os.urandom(300_000)
DIGEST = f"sha256:{hashlib.sha256(BODY).hexdigest()}"
PATH = f"/api/v1/content/{DIGEST.replace(':', '%3A')}"


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def link(site: Site) -> Iterator[Link]:
    connection = Connection(site.url, patience=5)
    yield Link(connection)
    connection.close()


def test_goes_on_where_it_broke(site: Site, link: Link, tmp_path: Path) -> None:
    site.put(PATH, cut(BODY, 100_000), resumable(BODY))
    link.fetch(DIGEST, tmp_path / "file", size=len(BODY))
    assert (tmp_path / "file").read_bytes() == BODY
    assert site.requests[1][1]["Range"].startswith("bytes=")
    link.fetch(DIGEST, tmp_path / "file", size=len(BODY))
    assert len(site.requests) == 2, "it is there"


@pytest.mark.parametrize("status", [429, 503])
def test_waits_for_a_busy_server(site: Site, link: Link, tmp_path: Path, status: int) -> None:
    site.put(PATH, fail(status, Retry_After="0"), fail(status, Retry_After="0"), serve(BODY))
    link.fetch(DIGEST, tmp_path / "file", size=len(BODY))
    assert (tmp_path / "file").read_bytes() == BODY
    assert len(site.requests) == 3


def test_wrong_bytes(site: Site, link: Link, tmp_path: Path) -> None:
    site.put(PATH, serve(b"forged"))
    with pytest.raises(ChecksumError):
        link.fetch(DIGEST, tmp_path / "file", size=len(BODY))
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there(link: Link, tmp_path: Path) -> None:
    with pytest.raises(Unknown):
        link.fetch(DIGEST, tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
