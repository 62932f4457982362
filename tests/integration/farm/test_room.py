"""Disks that fill up: room is made before there is none, and what is needed stays."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from farm_server import farm_server
from lapstrake.farm.contents.room import Room
from lapstrake.farm.contents.store import ContentStore, open_contents
from lapstrake.farm.problems import NoRoom
from lapstrake.farm.serving.registry import open_registry
from lapstrake.formats.keys import cache_key
from lapstrake.layer.store import Layer
from lapstrake.place.state import BaseState, StateFiles
from lapstrake.place.workplace import Workplace
from lapstrake.registry.protocol.repositories import digest_bytes
from roots import open_work_dir, write_configuration
from trouble import small_disk

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

_MIB = 1 << 20
_DAY_AGO = time.time() - 86400


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 MiB."""
    with small_disk(tmp_path / "disk", "64m", kind="tmpfs") as folder:
        write_configuration(folder)
        yield folder


@pytest.fixture
def place(disk: Path) -> Workplace:
    """A place there, of which 24 MiB are to stay free."""
    place = open_work_dir(disk)
    farm = replace(place.config.farm, disk_low=24 * _MIB)
    return replace(place, config=replace(place.config, farm=farm))


def _content(contents: ContentStore, size: int, *, used: float = _DAY_AGO) -> str:
    file = contents.scratch / "file"
    file.write_bytes(os.urandom(size))
    digest = contents.add_file(file)
    os.utime(contents.path(digest), (used, used))
    return digest


def _layer(place: Workplace, name: str, size: int) -> Layer:
    def fill(tree: Path) -> None:
        tree.mkdir()
        (tree / "file").write_bytes(os.urandom(size))

    layer = place.store.make(cache_key("test", {"name": name}), kind="package", facts={}, fill=fill)
    os.utime(layer.tree.parent / "layer.json", (_DAY_AGO, _DAY_AGO))
    return layer


def test_content_that_nobody_needs_makes_room(place: Workplace) -> None:
    contents = open_contents(place.config)
    needed, unused = _content(contents, 20 * _MIB), _content(contents, 24 * _MIB)
    young = _content(contents, 1, used=time.time())
    room = Room(place, contents, lambda: {needed})
    assert "less than 24" in room.lacking()
    contents.make_room = room.make
    upload = contents.begin_upload(8 * _MIB)
    assert contents.append(upload, 0, iter([bytes(_MIB)] * 8)) == 8 * _MIB
    assert contents.size(unused) is None
    assert contents.size(needed)
    assert contents.size(young)
    assert room.lacking() == ""


def test_layers_make_room(place: Workplace) -> None:
    base = _layer(place, "base", 12 * _MIB)
    StateFiles(place.private).set_base(
        BaseState(key=base.key, origin="a test", loaded=0.0, arch="amd64")
    )
    old, used = _layer(place, "old", 16 * _MIB), _layer(place, "used", 12 * _MIB)
    records = [place.builds / name for name in ("old", "young")]
    for record in records:
        record.mkdir(parents=True)
    os.utime(records[0], (_DAY_AGO - 60, _DAY_AGO - 60))
    room = Room(place)
    with place.store.lease([used]):
        room.watch()
    assert room.lacking() == ""
    left = {layer.key for layer in place.store.layers()}
    assert left == {base.key, used.key}
    assert old.key not in left
    assert [record.exists() for record in records] == [False, True]


def test_blobs_that_no_image_needs_make_room(place: Workplace) -> None:
    registry = open_registry(place, {})
    data = os.urandom(44 * _MIB)
    digest = digest_bytes(data)
    registry.core.blobs.add(digest, data)
    path = registry.core.blobs.path(digest)
    assert path is not None
    room = Room(place)
    room.free_images = partial(registry.forget, unused=3600, grace=3600)
    room.make()
    assert room.lacking()  # it has just come: somebody is about to name it
    os.utime(path, (_DAY_AGO, _DAY_AGO))
    again = Room(place)
    again.free_images = room.free_images
    again.watch()
    assert room.lacking() == ""
    assert registry.core.blobs.find(digest) is None


def test_nothing_to_remove(place: Workplace) -> None:
    contents = open_contents(place.config)
    needed = _content(contents, 44 * _MIB)
    room = Room(place, contents, lambda: {needed})
    contents.make_room = room.make
    with pytest.raises(NoRoom):
        contents.begin_upload()
    assert contents.size(needed)
    assert room.lacking()


def test_a_full_server_says_so_and_goes_on(disk: Path) -> None:
    ballast = disk / "ballast"
    with (
        farm_server(disk, settings=("farm.disk_low=24MiB",)) as server,
        server.client() as client,
    ):
        kept = client.post("/task").json()
        begun = client.post("/api/v1/uploads").json()
        path = f"/api/v1/uploads/{begun['id']}"
        client.patch(path, params={"offset": 0}, content=b"first ")
        ballast.write_bytes(bytes(44 * _MIB))
        refused = client.patch(path, params={"offset": 6}, content=b"second")
        assert (refused.status_code, refused.json()["type"]) == (507, "/problems/no-room")
        assert "disk_low" in refused.json()["resolution"]
        assert client.post("/api/v1/uploads").status_code == 507
        bundle = client.put(f"/task/{kept['id']}/build_bundle", content=b"x" * 1000)
        assert bundle.status_code == 507
        pushed = client.post("/v2/push/x/blobs/uploads/")
        assert pushed.status_code == 507
        assert "the disk has" in pushed.json()["errors"][0]["message"]
        assert client.get(f"/task/{kept['id']}/status").json()["state"] == "new"
        assert client.get("/ready").status_code == 503
        ballast.unlink()
        again = client.patch(path, params={"offset": 6}, content=b"second")
        assert again.json() == {"offset": 12}
        assert client.get("/ready").status_code == 200
