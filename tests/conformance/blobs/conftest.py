"""Every kind of storage, behind the same tests."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.local import LocalBlobs
from lapstrake.blobs.remote import remote_blobs
from object_storage import ObjectStorage, object_storage

_COUNT = itertools.count()


@pytest.fixture(scope="session")
def server() -> Iterator[ObjectStorage]:
    with object_storage() as running:
        yield running


@pytest.fixture(params=["local", "s3", "gs"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> BlobStore:
    """An empty store of each kind."""
    kind = request.param
    if kind == "local":
        return LocalBlobs(tmp_path / "store")
    for name, value in request.getfixturevalue("server").environment(kind).items():
        monkeypatch.setenv(name, value)
    url = f"{kind}://lapstrake/{os.getpid()}/{next(_COUNT)}"
    return remote_blobs(url, scratch=tmp_path / "scratch")
