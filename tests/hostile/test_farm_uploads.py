"""Users that begin uploads and never finish them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.farm.contents import unfinished
from lapstrake.farm.contents.store import ContentStore
from lapstrake.farm.contents.unfinished import LIMITS, one_upload
from lapstrake.farm.problems import Invalid, NoRoom, TooMany, Unknown

_LIMIT = 1000


@pytest.fixture
def contents(tmp_path: Path) -> ContentStore:
    return ContentStore(tmp_path / "contents", upload_limit=_LIMIT, disk_low=0)


def send(contents: ContentStore, owner: str, size: int, **more: bool) -> str:
    upload = contents.begin_upload(owner=owner, **more)
    contents.append(upload, 0, iter((bytes(size),)), owner=owner, **more)
    return upload


def test_one_users_unfinished_uploads_leave_room_for_others(contents: ContentStore) -> None:
    begun = [send(contents, "mallory", _LIMIT) for _ in range(LIMITS)]
    with pytest.raises(NoRoom, match="unfinished uploads of mallory"):
        send(contents, "mallory", 1)
    with pytest.raises(NoRoom):
        contents.begin_upload(1, owner="mallory")
    send(contents, "ann", _LIMIT)
    send(contents, "mallory", LIMITS * _LIMIT, trusted=True)  # a worker's results are not bounded
    with pytest.raises(Invalid):  # other bytes than it says: gone
        contents.finish_upload(begun[0], "sha256:" + "0" * 64, owner="mallory")
    contents.drop_upload(begun[1], owner="mallory")


def test_one_user_begins_so_many_uploads_at_most(
    contents: ContentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unfinished, "MOST", 3)
    begun = [contents.begin_upload(owner="mallory") for _ in range(3)]
    with pytest.raises(TooMany, match="3 uploads of mallory are not finished") as refused:
        contents.begin_upload(owner="mallory")
    assert refused.value.status == 429
    contents.begin_upload(owner="ann")
    assert contents.append(begun[0], 0, iter((b"x",)), owner="mallory") == 1  # those go on


def test_an_upload_is_its_owners_alone(contents: ContentStore) -> None:
    upload = send(contents, "ann", 5)
    for wrong in (
        lambda: contents.offset(upload, owner="mallory"),
        lambda: contents.append(upload, 5, iter((b"x",)), owner="mallory"),
        lambda: contents.finish_upload(upload, "sha256:" + "0" * 64, owner="mallory"),
        lambda: contents.drop_upload(upload, owner="mallory"),
    ):
        with pytest.raises(Unknown):
            wrong()
    assert contents.offset(upload, owner="ann") == 5


def test_what_fails_in_one_request_leaves_nothing(contents: ContentStore) -> None:
    def cut() -> Iterator[bytes]:
        yield b"begun"
        raise ConnectionError

    with one_upload(contents, owner="ann") as upload:
        contents.append(upload, 0, iter((b"whole",)), owner="ann")
    assert contents.offset(upload, owner="ann") == 5
    with pytest.raises(ConnectionError), one_upload(contents, owner="eve") as upload:
        contents.append(upload, 0, cut(), owner="eve")
    assert len(list(contents.scratch.iterdir())) == 1
