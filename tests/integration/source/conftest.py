"""Fetching with the real programs of version control, from repositories in the test's folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.source.cache import DownloadCache
from lapstrake.source.fetch import fetch_all
from lapstrake.source.job import Fetched, FetchEvent
from lapstrake.source.rules import FetchRules
from lapstrake.source.spec import SourceSpec
from lapstrake.source.unpack import UnpackBounds, unpack

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@example.org", "GIT_AUTHOR_DATE": "1000000000 +0000",
    "GIT_COMMITTER_DATE": "1000000000 +0000", "HGPLAIN": "1", "HGRCPATH": "", "HGUSER": "a",
    "BRZ_EMAIL": "a <a@example.org>", "BRZ_LOG": "/dev/null", "USER": "a",
}  # fmt: skip

Shell = Callable[..., str]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a program in a folder; skips when there is none."""
    home = tmp_path / "home"
    home.mkdir()

    def call(*argv: str | Path, cwd: Path) -> str:
        if shutil.which(str(argv[0])) is None:
            pytest.skip(f"the program {argv[0]} is missing")
        environment = {**os.environ, **ENVIRONMENT, "HOME": str(home), "FOSSIL_HOME": str(home)}
        done = subprocess.run(argv, cwd=cwd, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return call


@pytest.fixture
def events() -> list[FetchEvent]:
    return []


@pytest.fixture
def fetch(tmp_path: Path, events: list[FetchEvent]) -> Callable[..., Fetched]:
    """Fetch one source with a cache of the test's own."""

    def call(spec: SourceSpec, *, cache: str = "cache", **rules: object) -> Fetched:
        chosen = FetchRules(pause=0.0, retries=1, **rules)  # type: ignore[arg-type]
        where = DownloadCache(tmp_path / cache)
        return fetch_all([spec], cache=where, rules=chosen, on_event=events.append)[0]

    return call


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[Fetched], Path]:
    """Unpack a checkout, to look at it."""

    def call(fetched: Fetched) -> Path:
        target = tmp_path / "trees" / fetched.digest.hex[:16]
        unpack(fetched.path, target, bounds=UnpackBounds(outside_links=True))
        return target

    return call
