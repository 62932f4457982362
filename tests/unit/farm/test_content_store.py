"""The content store: uploads that go on where they broke off, bounds, what is kept."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.contents.store import ContentStore
from lapstrake.farm.problems import Invalid, NoRoom, TooLarge, Unknown, WrongState
from lapstrake.host.files import temporary_name
from lapstrake.host.supervise import free_bytes

_SOME = "sha256:" + "0" * 64


def store(folder: Path, *, limit: int = 1 << 20, low: int = 0) -> ContentStore:
    return ContentStore(folder / "contents", upload_limit=limit, disk_low=low)


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@given(pieces=st.lists(st.binary(max_size=40), max_size=6), again=st.booleans())
def test_pieces_become_one(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], again: bool
) -> None:
    folder = tmp_path_factory.mktemp("store")
    contents, whole = store(folder), b"".join(pieces)
    upload = contents.begin_upload()
    offset = 0
    for piece in pieces:
        offset = contents.append(upload, offset, iter((piece,)))
        if again:
            contents = store(folder)  # as after a restart of the server
        assert contents.offset(upload) == offset
    assert contents.finish_upload(upload, digest(whole)) == len(whole)
    assert contents.path(digest(whole)).read_bytes() == whole
    assert contents.size(digest(whole)) == len(whole)
    with pytest.raises(Unknown):
        contents.offset(upload)


def test_wrong_offset_tells_the_right_one(tmp_path: Path) -> None:
    contents = store(tmp_path)
    upload = contents.begin_upload(5)
    contents.append(upload, 0, iter((b"abc",)))
    for offset in (0, 2, 4):
        with pytest.raises(WrongState) as refused:
            contents.append(upload, offset, iter((b"xy",)))
        assert refused.value.fields == {"size": 3}
    assert contents.append(upload, 3, iter((b"de",))) == 5
    assert contents.finish_upload(upload, digest(b"abcde")) == 5


def test_wrong_digest_ends_an_upload(tmp_path: Path) -> None:
    contents = store(tmp_path)
    upload = contents.begin_upload()
    contents.append(upload, 0, iter((b"abc",)))
    with pytest.raises(Invalid) as refused:
        contents.finish_upload(upload, _SOME)
    assert refused.value.fields == {"digest": digest(b"abc")}
    with pytest.raises(Unknown):
        contents.append(upload, 3, iter((b"d",)))
    assert list(contents.scratch.iterdir()) == []
    assert contents.size(_SOME) is None


@pytest.mark.parametrize(
    "text", ["", "abc", "sha256:", "sha512:" + "0" * 128, "sha256:" + "G" * 64]
)
def test_no_digest(tmp_path: Path, text: str) -> None:
    contents = store(tmp_path)
    with pytest.raises(Invalid):
        contents.finish_upload(contents.begin_upload(), text)
    with pytest.raises(Unknown):
        contents.path(text)


@pytest.mark.parametrize("upload", ["", "../x", "0" * 32, "a/b"])
def test_unknown_uploads(tmp_path: Path, upload: str) -> None:
    contents = store(tmp_path)
    with pytest.raises(Unknown):
        contents.offset(upload)
    with pytest.raises(Unknown):
        contents.append(upload, 0, iter((b"x",)))


def test_bounds_are_users(tmp_path: Path) -> None:
    contents = store(tmp_path, limit=4)
    with pytest.raises(TooLarge) as refused:
        contents.begin_upload(5)
    assert refused.value.fields == {"limit": 4}
    upload = contents.begin_upload()
    contents.append(upload, 0, iter((b"abcd",)))
    with pytest.raises(TooLarge):
        contents.append(upload, 4, iter((b"e",)))
    assert contents.append(upload, 4, iter((b"e",)), trusted=True) == 5


def test_room_is_kept(tmp_path: Path) -> None:
    free = free_bytes(tmp_path)
    asked: list[int] = []
    contents = store(tmp_path, low=free + free // 4)
    contents.make_room = lambda: asked.append(1)
    with pytest.raises(NoRoom) as refused:
        contents.begin_upload(1)
    assert asked, "room was to be made first"
    assert "disk_low" in refused.value.resolution
    contents.begin_upload(1, trusted=True)  # a result may use half of what is kept free


def test_collect_takes_what_nobody_needs(tmp_path: Path) -> None:
    contents = store(tmp_path)
    names = []
    for data in (b"needed", b"old", b"new", b"wanted again"):
        file = contents.scratch / "file"
        file.write_bytes(data)
        names.append(contents.add_file(file))
    needed, old, new, again = names
    day_ago = time.time() - 86400
    for name in (needed, old, again):
        os.utime(contents.path(name), (day_ago, day_ago))
    assert contents.has(again)
    assert contents.collect({needed}, idle=3600) == len(b"old")
    assert contents.size(old) is None
    assert None not in {contents.size(name) for name in (needed, new, again)}
    assert not contents.has(old)


def test_left_uploads_go(tmp_path: Path) -> None:
    contents = store(tmp_path)
    left, alive = contents.begin_upload(), contents.begin_upload()
    file = next(path for path in contents.scratch.iterdir() if left in path.name)
    killed = temporary_name(contents.scratch / "bundle")
    (killed / "half").mkdir(parents=True)
    young = temporary_name(contents.scratch / "bundle")
    young.mkdir()
    for path in (file, killed):
        os.utime(path, (0, 0))
    assert contents.forget_uploads() == 2
    assert young.exists()
    assert not killed.exists()
    with pytest.raises(Unknown):
        contents.offset(left)
    assert contents.offset(alive) == 0
