"""The registry over a bucket, and over one that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from object_storage import ObjectStorage, object_storage
from registry_server import Served, error_code, push_image, served, sha256

_NAME = "push/stored"
_BLOB = os.urandom(9 << 20)


@pytest.fixture
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as running:
        yield running


def _over(storage: ObjectStorage, kind: str, folder: Path, *settings: str) -> object:
    return served(
        folder,
        settings=(f"registry.storage={kind}://lapstrake/{kind}", *settings),
        **storage.environment(kind),
    )


def _check(client: httpx2.Client, digest: str, *, redirected: bool) -> None:
    found = client.get(f"/v2/{_NAME}/manifests/v1")
    assert sha256(found.content) == digest
    blob = f"/v2/{_NAME}/blobs/{sha256(_BLOB)}"
    assert client.head(blob).headers["content-length"] == str(len(_BLOB))
    answer = client.get(blob)
    assert answer.status_code == (307 if redirected else 200)
    part = {"Range": "bytes=5-9"}
    if redirected:
        place = answer.headers["location"]
        assert httpx2.get(place, trust_env=False).content == _BLOB
        assert httpx2.get(place, headers=part, trust_env=False).content == _BLOB[5:10]
        return
    assert answer.content == _BLOB
    answer = client.get(blob, headers=part)
    assert (answer.status_code, answer.content) == (206, _BLOB[5:10])
    answer = client.get(blob, headers={"Range": "bytes=999999999-"})
    assert (answer.status_code, answer.content) == (416, b"")


def test_buckets(storage: ObjectStorage, tmp_path: Path) -> None:
    for kind, settings in (("s3", ()), ("s3", ("registry.redirect=false",)), ("gs", ())):
        running: Served
        with _over(storage, kind, tmp_path / "work", *settings) as running:  # type: ignore[attr-defined]
            with running.client() as client:
                digest = push_image(client, _NAME, "v1", _BLOB)
                _check(client, digest, redirected=kind == "s3" and not settings)
                assert _NAME in client.get("/v2/_catalog").json()["repositories"]
                scratch = tmp_path / "work/images/scratch"
                assert list(scratch.iterdir()) == []


def test_a_storage_that_fails(storage: ObjectStorage, tmp_path: Path) -> None:
    running: Served
    with _over(storage, "s3", tmp_path / "work") as running:  # type: ignore[attr-defined]
        with running.client() as client:
            push_image(client, _NAME, "v1", b"layer")
            place = client.post(f"/v2/{_NAME}/blobs/uploads/").headers["location"]
            assert client.patch(place, content=_BLOB).status_code == 202
            storage.process.kill()
            storage.process.wait()
            for answer in (
                client.put(place, params={"digest": sha256(_BLOB)}),
                client.get(f"/v2/{_NAME}/manifests/v1"),
                client.get(f"/v2/{_NAME}/tags/list"),
            ):
                assert (answer.status_code, error_code(answer)) == (500, "UNKNOWN")
                said = answer.json()["errors"][0]["message"]
                assert "the storage s3://lapstrake/s3 failed" in said
            assert client.get(place).headers["range"] == f"0-{len(_BLOB) - 1}", "nothing is lost"
            assert "Traceback" not in running.log.read_text()
