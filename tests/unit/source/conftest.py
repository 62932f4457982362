"""A web server that misbehaves on command, a fresh cache, and rules without pauses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.source.cache import DownloadCache
from lapstrake.source.rules import FetchRules
from webserver import Site, running_site


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with running_site() as site:
        yield site


@pytest.fixture
def cache(tmp_path: Path) -> DownloadCache:
    return DownloadCache(tmp_path / "cache")


@pytest.fixture
def rules() -> FetchRules:
    """Quick ones: no pauses, and a hanging server is given up soon."""
    return FetchRules(pause=0.0, timeout=5.0, retries=2)
