"""Sources that another host has under their checksums, before their own address is asked."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from lapstrake.names import Digest
from lapstrake.source.cache import DownloadCache
from lapstrake.source.fetch import fetch_all
from lapstrake.source.job import FetchEvent, Stage
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceKind, SourceSpec
from webserver import Site, serve

BODY = os.urandom(10_000)
SHA512 = Digest("sha512", hashlib.sha512(BODY).hexdigest())


@dataclass
class Shelf:
    """An `Elsewhere` in memory."""

    bodies: dict[Digest, bytes] = field(default_factory=dict)
    offered: list[tuple[bytes, Digest]] = field(default_factory=list)

    def find(self, digest: Digest, target: Path) -> bool:
        if digest in self.bodies:
            target.write_bytes(self.bodies[digest])
        return digest in self.bodies

    def offer(self, file: Path, digest: Digest) -> None:
        self.offered.append((file.read_bytes(), digest))


def spec(url: str) -> SourceSpec:
    return SourceSpec(kind=SourceKind.ARCHIVE, url=url, name="1.0.bin", digest=SHA512)


def test_what_it_has_is_not_asked_for(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    shelf = Shelf(bodies={SHA512: BODY})
    url = site.put("/a", serve(BODY))
    (fetched,) = fetch_all([spec(url)], cache=cache, rules=replace(rules, elsewhere=shelf))
    assert fetched.path.read_bytes() == BODY
    assert (fetched.url, fetched.from_cache) == (str(SHA512), False)
    assert site.requests == []
    assert shelf.offered == []
    (again,) = fetch_all([spec(url)], cache=cache, rules=replace(rules, offline=True))
    assert again.from_cache


def test_what_it_lacks_is_offered(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    shelf = Shelf()
    url = site.put("/a", serve(BODY))
    fetch_all([spec(url)], cache=cache, rules=replace(rules, elsewhere=shelf))
    assert shelf.offered == [(BODY, Digest("sha256", hashlib.sha256(BODY).hexdigest()))]


def test_wrong_bytes_are_not_believed(site: Site, cache: DownloadCache, rules: FetchRules) -> None:
    shelf = Shelf(bodies={SHA512: b"forged"})
    events: list[FetchEvent] = []
    (fetched,) = fetch_all(
        [spec(site.put("/a", serve(BODY)))],
        cache=cache,
        rules=replace(rules, elsewhere=shelf),
        on_event=events.append,
    )
    assert fetched.path.read_bytes() == BODY
    assert len(site.requests) == 1
    assert any(event.stage is Stage.WARNING for event in events)
    assert not list((cache.root / "scratch").iterdir())
