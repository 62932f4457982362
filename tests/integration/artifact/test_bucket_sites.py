"""Artifacts in object storages."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from lapstrake.artifact.base import BucketSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.sites import bucket as buckets
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.bucket import plan_bucket
from lapstrake.errors import ArtifactError
from lapstrake.progress import Silent
from object_storage import ObjectStorage, object_storage
from parcels import identity_of, parcel_of, publish

_DATA = os.urandom(9 << 20)


@pytest.fixture(scope="module")
def storage() -> Iterator[ObjectStorage]:
    with object_storage() as running:
        yield running


@pytest.fixture(params=["s3", "gs"])
def url(
    request: pytest.FixtureRequest, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> str:
    """A folder of its own in a bucket."""
    for name, value in storage.environment(request.param).items():
        monkeypatch.setenv(name, value)
    return f"{request.param}://lapstrake/{request.node.name}"


@pytest.fixture
def parcel(tmp_path: Path) -> Parcel:
    return parcel_of(tmp_path / "made", _DATA)


def get(url: str, parcel: Parcel, target: Path, terms: Terms | None = None) -> bytes:
    """Get a parcel's archive out of a bucket."""
    (place,) = plan_bucket(BucketSite(url=url), parcel.identity)
    place.get(target, terms or Terms(), Silent())
    return target.read_bytes()


def test_published_and_found(url: str, parcel: Parcel, tmp_path: Path) -> None:
    site, where = BucketSite(url=url), f"{url}/fish-linux_x86_64-1.2.0+rc1-E3B0C44.tar.gz"
    assert publish(site, parcel) == f"{where} published"
    assert publish(site, parcel) == f"{where} is there already"
    told: list[tuple[int, int]] = []
    terms = Terms(on_bytes=lambda done, total: told.append((done, total)))
    assert get(url, parcel, tmp_path / "got", terms) == _DATA
    assert told[-1] == (len(_DATA), len(_DATA))
    assert sorted(each.name for each in tmp_path.iterdir()) == ["got", "made"]
    for data in (bytes(len(_DATA)), b"short"):
        with pytest.raises(ArtifactError, match="is something else"):
            publish(site, parcel_of(tmp_path / "other", data))
    assert publish(site, parcel_of(tmp_path / "other", b"new"), force=True).endswith("replaced")
    assert get(url, parcel, tmp_path / "new") == b"new"


def test_not_there(url: str, parcel: Parcel, tmp_path: Path) -> None:
    with pytest.raises(NotThereError, match="it has nothing of fish"):
        get(url, parcel, tmp_path / "got")
    for name, inputs in (("fish", b"others"), ("fishbone", b""), ("ant", b""), ("fishes", b"")):
        there = parcel_of(tmp_path / "made", b"x", identity_of(name, inputs=inputs))
        publish(BucketSite(url=url), there)
    with pytest.raises(NotThereError, match=r"no such object; .*checksum .*, not E3B0C44"):
        get(url, parcel, tmp_path / "got")


def test_a_storage_that_lies(
    url: str, storage: ObjectStorage, parcel: Parcel, tmp_path: Path
) -> None:
    publish(BucketSite(url=url), parcel)
    path = f"{storage.url}/lapstrake/{url.rpartition('/')[2]}/{parcel.identity.file_name}"
    changed = httpx2.put(path.replace("+", "%2B"), content=bytes(len(_DATA)), trust_env=False)
    assert changed.is_success
    with pytest.raises(SiteError, match="something else than it says"):
        get(url, parcel, tmp_path / "got")
    assert not (tmp_path / "got").exists()


def test_what_is_there_is_gone_on_with(url: str, parcel: Parcel, tmp_path: Path) -> None:
    publish(BucketSite(url=url), parcel)

    class GivenUp(Exception):  # noqa: N818
        pass

    def give_up(done: int, total: int) -> None:
        raise GivenUp

    with pytest.raises(GivenUp):
        get(url, parcel, tmp_path / "got", Terms(on_bytes=give_up))
    begun = (tmp_path / "got").stat().st_size
    assert 0 < begun < len(_DATA)
    told: list[int] = []
    terms = Terms(on_bytes=lambda done, _total: told.append(done))
    assert get(url, parcel, tmp_path / "got", terms) == _DATA
    assert told[0] == min(begun + buckets._PIECE, len(_DATA))
    (tmp_path / "got").write_bytes(b"of somebody else")
    assert get(url, parcel, tmp_path / "got") == _DATA


def test_given_up_while_a_storage_says_nothing(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kinds = ObjectStorage(url=f"http://127.0.0.1:{silent.getsockname()[1]}", process=None)  # type: ignore[arg-type]
        for name, value in kinds.environment("s3").items():
            monkeypatch.setenv(name, value)
        terms = Terms(timeout=600)

        def give_up() -> None:
            silent.accept()
            terms.cancelled.cancel()

        thread = threading.Thread(target=give_up)
        thread.start()
        with pytest.raises(SiteError, match="given up"):
            get("s3://lapstrake", parcel, tmp_path / "got", terms)
        thread.join()


def test_storages_that_do_not_answer(
    parcel: Parcel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        kinds = ObjectStorage(url=url, process=None)  # type: ignore[arg-type]
        for name, value in kinds.environment("s3").items():
            monkeypatch.setenv(name, value)
        terms = Terms(timeout=0.3, retries=0)
        with pytest.raises(SiteError, match="timed out"):
            get("s3://lapstrake", parcel, tmp_path / "got", terms)
    with pytest.raises(SiteError, match="error"):
        get("s3://lapstrake", parcel, tmp_path / "got", terms)
    with pytest.raises(SiteError, match="may not be used"):
        get("s3://lapstrake", parcel, tmp_path / "got", Terms(offline=True))
    with pytest.raises(SiteError, match="is no storage"):
        get("ftp://lapstrake", parcel, tmp_path / "got", terms)
