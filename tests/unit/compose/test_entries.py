"""What lies in trees, and what a stack of them shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.compose.base import Wanted
from lapstrake.compose.content import Content, read_contents, write_content
from lapstrake.compose.doubt import Entry, Kind
from lapstrake.compose.entries import pack, unpack, walk, walk_stack
from lapstrake.compose.wish import relations_of, satisfy_words
from lapstrake.errors import MissingError, StoreError
from lapstrake.layer.store import Layer
from lapstrake.names import CacheKey

PATHS = st.text(st.characters(exclude_characters="\0"), min_size=1).map(lambda text: f"/{text}")
ENTRIES = st.builds(
    Entry,
    kind=st.sampled_from(Kind),
    mode=st.integers(0, 0o7777),
    uid=st.integers(0, 65535),
    gid=st.integers(0, 65535),
)


def make(folder: Path, *paths: str) -> Path:
    for path in paths:
        target = folder / path.strip("/")
        if path.endswith("/"):
            target.mkdir(parents=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    return folder


def test_a_tree(tmp_path: Path) -> None:
    make(tmp_path, "a/b", "c/")
    (tmp_path / "a/link").symlink_to("/nowhere")
    (tmp_path / "a/b").chmod(0o4755)
    os.mkfifo(tmp_path / "pipe")
    found = walk(tmp_path)
    assert {path: entry.kind for path, entry in found.items()} == {
        "/": Kind.FOLDER,
        "/a": Kind.FOLDER,
        "/a/b": Kind.FILE,
        "/a/link": Kind.LINK,
        "/c": Kind.FOLDER,
        "/pipe": Kind.OTHER,
    }
    assert found["/a/b"].mode == 0o4755


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: makes whiteouts")
def test_what_upper_layers_hide(tmp_path: Path) -> None:
    lower = make(tmp_path / "lower", "gone", "opaque/old", "kept/old", "was-folder/x", "fell/x")
    upper = make(tmp_path / "upper", "opaque/new", "kept/new", "was-folder", "opaquer/")
    os.mknod(upper / "gone", 0o020000, 0)
    os.mknod(upper / "fell", 0o020000, 0)
    os.setxattr(upper / "opaque", "trusted.overlay.opaque", b"y")
    shown = walk_stack([lower, upper])
    assert set(shown) == {
        "/", "/opaque", "/opaque/new", "/opaquer", "/kept", "/kept/old", "/kept/new", "/was-folder",
    }  # fmt: skip
    assert shown["/was-folder"].kind is Kind.FILE


@given(st.dictionaries(PATHS, ENTRIES))
def test_what_is_kept_is_what_was_found(entries: dict[str, Entry]) -> None:
    assert unpack(pack(entries)) == entries


def test_content_of_a_layer(tmp_path: Path) -> None:
    tree = make(tmp_path / "layer/tree", "etc/a\udcff")
    content = Content(
        control="Package: a\nArchitecture: i386\nVersion: 1\n",
        conffiles=(("/etc/a", "0" * 32),),
        triggers="interest x\n",
        paths=walk(tree),
    )
    write_content(tree, content)
    key = CacheKey("0" * 64)
    layer = Layer(key=key, kind="package", tree=tree, size=0, created=0, used=0, facts={})
    assert read_contents([layer]) == (content,)
    assert content.unpacked("i386", {}).name == "a"
    assert content.unpacked("amd64", {}).name == "a:i386"
    (tree.parent / "content.json").write_text('{"control": 1}')
    with pytest.raises(StoreError, match="is damaged"):
        read_contents([layer])


def test_a_wish_for_apt() -> None:
    wanted = Wanted(packages=("g++", "a:i386=1:2~3"), relations="b | c", profiles="nocheck cross")
    assert satisfy_words(wanted) == [
        "-oAPT::Build-Profiles=nocheck,cross",
        "satisfy",
        "g++, a:i386 (= 1:2~3), b | c",
    ]
    with pytest.raises(MissingError) as missing:
        relations_of(Wanted(packages=("ok", "-o", "a=", "B")))
    assert missing.value.names == ("-o", "a=", "B")
