"""What every storage promises (`lapstrake.blobs.base`)."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import httpx2
import pytest

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.referrers import forget_referrer, record_referrer, referrers
from lapstrake.errors import StoreError
from lapstrake.names import Digest

_DATA = os.urandom(9 << 20)


def _digest(data: bytes, algorithm: str = "sha256") -> Digest:
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


def _read(store: BlobStore, digest: Digest, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(store.read(digest, start=start, end=end))


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_bytes(store: BlobStore, algorithm: str) -> None:
    digest = _digest(b"some bytes", algorithm)
    assert (store.find(digest), store.added(digest), list(store.digests())) == (None, None, [])
    store.add(digest, b"some bytes")
    assert store.find(digest) == 10
    assert _read(store, digest) == b"some bytes"
    assert list(store.digests()) == [digest]
    assert abs((store.added(digest) or 0) - time.time()) < 60


@pytest.mark.parametrize("where", ["scratch", "elsewhere"])
def test_a_file(store: BlobStore, tmp_path: Path, where: str) -> None:
    path = (store.scratch if where == "scratch" else tmp_path) / "file"
    for _ in range(2):  # the second time it is there
        path.write_bytes(_DATA)
        store.add(_digest(_DATA), path)
        assert path.exists() == (where == "elsewhere")
        assert store.find(_digest(_DATA)) == len(_DATA)
    assert _read(store, _digest(_DATA)) == _DATA
    assert list(store.scratch.iterdir()) == []


def test_parts(store: BlobStore) -> None:
    store.add(_digest(_DATA), _DATA)
    size = len(_DATA)
    for start, end in (
        (0, 1),
        (5, 5),
        (7, 3),
        (0, 8 << 20),
        (8 << 20, (8 << 20) + 1),
        (3, (8 << 20) + 3),
        (size, None),
        (size - 1, size + 100),
    ):
        assert _read(store, _digest(_DATA), start, end) == _DATA[start:end], (start, end)


def test_an_empty_blob(store: BlobStore) -> None:
    store.add(_digest(b""), b"")
    assert store.find(_digest(b"")) == 0
    assert _read(store, _digest(b"")) == b""


def test_what_is_missing(store: BlobStore) -> None:
    nothing = _digest(b"nothing")
    with pytest.raises(StoreError, match=nothing.hex):
        _read(store, nothing)
    assert not store.remove(nothing)
    assert store.document("nothing") is None
    assert not store.delete("nothing")


def test_removal(store: BlobStore) -> None:
    store.add(_digest(b"one"), b"one")
    assert not store.known(_digest(b"two"))
    store.add(_digest(b"two"), b"two")
    assert store.known(_digest(b"one"))
    assert store.known(_digest(b"two"))
    assert store.remove(_digest(b"one"))
    assert store.find(_digest(b"one")) is None
    assert not store.known(_digest(b"one"))
    assert list(store.digests()) == [_digest(b"two")]


def test_a_blob_that_is_added_again_is_young_again(store: BlobStore) -> None:
    store.add(_digest(b"one"), b"one")
    path = store.path(_digest(b"one"))
    if path is None:
        pytest.skip("nobody can change the time of an object")
    os.utime(path, (1, 1))
    assert store.added(_digest(b"one")) == 1
    store.add(_digest(b"one"), b"one")
    assert abs((store.added(_digest(b"one")) or 0) - time.time()) < 60
    assert _read(store, _digest(b"one")) == b"one"


def test_a_file_or_an_address(store: BlobStore) -> None:
    digest = _digest(b"some bytes")
    store.add(digest, b"some bytes")
    path, url = store.path(digest), store.url(digest, seconds=60)
    assert path is None or url is None
    if path is not None:
        assert path.read_bytes() == b"some bytes"
    if url is not None:
        assert httpx2.get(url, trust_env=False).content == b"some bytes"


def test_documents(store: BlobStore) -> None:
    for name in ("a", "a/b", "a/b/c", "a-b", "A.+_", "ab/c", "x" * 250):
        store.write(name, name.encode())
        assert store.document(name) == name.encode()
        store.write(name, b"new")
        assert store.document(name) == b"new"
    assert list(store.names("")) == ["A.+_", "a", "a-b", "a/b", "a/b/c", "ab/c", "x" * 250]
    assert list(store.names("a/")) == ["a/b", "a/b/c"]
    assert list(store.names("a")) == ["a", "a-b", "a/b", "a/b/c", "ab/c"]
    assert list(store.names("a/b")) == ["a/b", "a/b/c"]
    assert list(store.names("none/")) == []
    assert store.delete("a/b")
    assert not store.delete("a/b")
    assert store.document("a/b/c") == b"new"
    assert list(store.digests()) == []


@pytest.mark.parametrize(
    "name", ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a b", "a,b", "a\n", "ü", "x" * 255]
)
def test_what_names_no_document(store: BlobStore, name: str) -> None:
    for work in (store.document, store.delete, lambda name: store.write(name, b"")):
        with pytest.raises(StoreError):
            work(name)


def test_what_is_no_digest(store: BlobStore) -> None:
    for digest in (Digest("md5", "0" * 32), Digest("sha256", "../../x"), Digest("sha256", "")):
        with pytest.raises(StoreError):
            store.add(digest, b"")


def test_many_at_once(store: BlobStore) -> None:
    """Whatever the order, each reader sees a whole version."""
    versions = [bytes([number]) * 200_000 for number in range(8)]
    seen: list[bytes | None] = []

    def write(version: bytes) -> None:
        store.add(_digest(b"same"), b"same")
        store.write("shared", version)
        seen.append(store.document("shared"))

    threads = [threading.Thread(target=write, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == len(versions)
    assert set(seen) <= set(versions)
    assert _read(store, _digest(b"same")) == b"same"


def test_referrers(store: BlobStore) -> None:
    subject, first, second = (_digest(data) for data in (b"subject", b"first", b"second"))
    assert referrers(store, subject) == ()
    for digest in (first, second):
        record_referrer(store, subject, {"digest": str(digest), "size": 1})
    record_referrer(store, subject, {"digest": str(first), "size": 2}, within="pushed/x/")
    found = [each["digest"] for each in referrers(store, subject)]
    assert found == sorted([str(first), str(second)])
    assert [each["size"] for each in referrers(store, subject, within="pushed/x/")] == [2]
    assert forget_referrer(store, subject, first)
    assert not forget_referrer(store, subject, first)
    assert [each["digest"] for each in referrers(store, subject)] == [str(second)]
