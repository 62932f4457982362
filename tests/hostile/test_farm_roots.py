"""Workers that would like others to build in what they made."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.stack import PackedLayer, StackDocument
from lapstrake.farm.contents.stacks import Stacks
from lapstrake.farm.contents.store import ContentStore
from lapstrake.farm.problems import NotAllowed, WrongState
from lapstrake.formats.keys import cache_key
from lapstrake.place.workplace import Workplace
from roots import open_work_dir, write_configuration

ARCH = "riscv64"
BASE, INSTANCE = cache_key("base", {}).hex, cache_key("instance", {}).hex


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    write_configuration(tmp_path / "work")
    return open_work_dir(tmp_path / "work")


@pytest.fixture
def contents(place: Workplace) -> ContentStore:
    folder = place.config.work_dir / "farm" / "contents"
    return ContentStore(folder, upload_limit=1 << 20, disk_low=0)


@pytest.fixture
def packed(contents: ContentStore) -> Callable[[bytes], PackedLayer]:
    def pack(data: bytes) -> PackedLayer:
        file = contents.scratch / "layer"
        file.write_bytes(data)
        return PackedLayer(digest=contents.add_file(file), size=len(data), made_by="somebody else")

    return pack


def document(place: Workplace) -> StackDocument:
    listed = (place.config.work_dir / "conf/source_lists/stable.sources").read_bytes()
    digest = hashlib.sha256(listed).hexdigest()
    said = {
        "branch": "stable",
        "arch": ARCH,
        "base": {"key": BASE, "origin": "made", "loaded": 1.0},
        "instance": {
            "base": BASE, "layer": INSTANCE, "list_digest": digest, "releases": {}, "headers": {},
        },
        "layers": [
            {"key": BASE, "kind": "base", "facts": {}},
            {"key": INSTANCE, "kind": "instance", "facts": {}},
        ],
        "made_by": "somebody else",
    }  # fmt: skip
    return TypeAdapter(StackDocument).validate_python(said)


def test_the_first_ones_roots_stay(
    place: Workplace, contents: ContentStore, packed: Callable[[bytes], PackedLayer]
) -> None:
    stacks = Stacks(place, contents)
    for key in (BASE, INSTANCE):
        stacks.accept_layer(ARCH, key, packed(b"genuine"), "first")
    said = document(place)
    stacks.accept(said, "first")
    told = stacks.document("stable", ARCH)
    assert told.made_by == "first"
    assert stacks.packed(ARCH, BASE).made_by == "first"
    with pytest.raises(WrongState, match="is made by first"):
        stacks.accept_layer(ARCH, BASE, packed(b"hostile"), "second")
    stacks.accept_layer(ARCH, BASE, packed(b"genuine"), "second")  # the same: nothing to tell
    with pytest.raises(WrongState, match="root of stable for riscv64 is made by first"):
        stacks.accept(said, "second")
    stacks.accept_layer(ARCH, INSTANCE, packed(b"refreshed"), "first")
    stacks.accept(said, "first")
    assert stacks.document("stable", ARCH).made_by == "first"


def test_the_servers_own_layers_are_nobody_elses(
    place: Workplace, contents: ContentStore, packed: Callable[[bytes], PackedLayer]
) -> None:
    stacks = Stacks(place, contents)
    key = cache_key("base", {})
    stacks.accept_layer(ARCH, BASE, packed(b"hostile, and first"), "hostile")

    def fill(tree: Path) -> None:
        (tree / "etc").mkdir(parents=True)

    place.store.make(key, kind="base", facts={}, fill=fill)
    assert stacks.packed(ARCH, BASE).made_by == ""  # packed anew from its own
    with pytest.raises(WrongState, match="made by the server"):
        stacks.accept_layer(ARCH, BASE, packed(b"hostile"), "hostile")


def test_only_those_that_are_named_make_roots(
    place: Workplace, contents: ContentStore, packed: Callable[[bytes], PackedLayer]
) -> None:
    Stacks(place, contents).accept_layer(ARCH, BASE, packed(b"hostile"), "hostile")
    config = replace(place.config, farm=replace(place.config.farm, root_makers=("trusted",)))
    stacks = Stacks(replace(place, config=config), contents)
    with pytest.raises(NotAllowed):
        stacks.accept_layer(ARCH, INSTANCE, packed(b"hostile"), "hostile")
    with pytest.raises(NotAllowed):
        stacks.accept(document(place), "hostile")
    for key in (BASE, INSTANCE):  # what came before they were named gives way
        stacks.accept_layer(ARCH, key, packed(b"genuine"), "trusted")
    stacks.accept(document(place), "trusted")
    assert stacks.packed(ARCH, BASE).made_by == "trusted"
    with pytest.raises(LapstrakeError):
        stacks.packed(ARCH, "../../etc")
