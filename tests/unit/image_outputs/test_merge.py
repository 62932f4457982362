"""Layers over each other, against a model that is slow and plain."""

from __future__ import annotations

import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handmade_images import Members, file, folder, hard_link, symlink
from lapstrake.errors import ImageError
from lapstrake.image.outputs.merge import MergedRoot, clean_path


def merged(*layers: Members) -> MergedRoot:
    root = MergedRoot()
    for members in layers:
        root.add_layer([header for header, _ in members])
    return root


def paths(root: MergedRoot) -> set[str]:
    return set(root.nodes)


def test_later_layers_hide_and_remove() -> None:
    below = [folder("a"), file("a/x"), file("a/y"), file("b"), folder("c"), file("c/d")]
    above = [file(".wh.b"), file("a/x", b"new"), file("c/.wh..wh..opq"), file("c/e")]
    root = merged(below, above)
    assert paths(root) == {"a", "a/x", "a/y", "c", "c/e"}
    assert root.nodes["a/x"].layer == 1


def test_marks_do_not_touch_their_own_layer() -> None:
    root = merged([folder("a"), file("a/old")], [file("a/new"), file("a/.wh..wh..opq")])
    assert paths(root) == {"a", "a/new"}
    root = merged([file("x")], [file("x", b"new"), file(".wh.x")])
    assert root.nodes["x"].layer == 1


def test_a_file_over_a_folder_and_back() -> None:
    tree = [folder("a"), file("a/b")]
    assert paths(merged(tree, [file("a")])) == {"a"}
    assert paths(merged(tree, [symlink("a", "b")], [folder("a"), file("a/c")])) == {"a", "a/c"}


def test_a_folder_keeps_its_content_and_gets_the_uppermost_mode() -> None:
    root = merged([folder("a"), file("a/b")], [folder("a", mode=0o700)])
    assert paths(root) == {"a", "a/b"}
    assert root.nodes["a"].header.mode == 0o700


def test_folders_that_no_layer_describes() -> None:
    root = merged([file("a/b/c")])
    assert [(path, node.header.isdir()) for path, node in root.sorted()] == [
        ("a", True), ("a/b", True), ("a/b/c", False),
    ]  # fmt: skip


def test_a_folder_is_followed_by_what_is_in_it() -> None:
    root = merged([file("a-b"), file("a/x"), file("a.c"), folder("./")])
    assert [path for path, _ in root.sorted()] == ["", "a", "a/x", "a-b", "a.c"]


def test_hard_links_survive_the_loss_of_their_first_name() -> None:
    root = merged([file("a"), hard_link("b", "a"), hard_link("c", "./a")], [file(".wh.a")])
    assert paths(root) == {"b", "c"}
    assert root.nodes["b"] is root.nodes["c"]
    assert root.nodes["b"].header.name == "a"


def test_a_hard_link_into_a_layer_below() -> None:
    root = merged([file("a", b"data")], [hard_link("b", "a")])
    assert root.nodes["a"] is root.nodes["b"]


def test_a_hard_link_to_nothing() -> None:
    with pytest.raises(ImageError, match="b is a hard link to a, which is not there"):
        merged([hard_link("b", "a")])


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "/../x"])
def test_members_that_leave_the_root(name: str) -> None:
    with pytest.raises(ImageError, match="leaves the root"):
        merged([file(name)])


def test_names_are_cleaned() -> None:
    assert [clean_path(name) for name in ("./", "./a/", "/a//b", "a/./b", "/")] == [
        "", "a", "a/b", "a/b", "",
    ]  # fmt: skip


_names = st.sampled_from(["a", "b", "c"])
_paths = st.lists(_names, min_size=1, max_size=3).map("/".join)
_members = st.one_of(
    _paths.map(file),
    _paths.map(folder),
    _paths.map(lambda path: symlink(path, "x")),
    st.builds(lambda head, name: file(f"{head}/.wh.{name}"), _paths, _names),
    _paths.map(lambda path: file(f"{path}/.wh..wh..opq")),
)


@given(st.lists(st.lists(_members, max_size=6), max_size=4))
def test_any_layers(layers: list[Members]) -> None:
    root = merged(*layers)
    assert {path: node.layer for path, node in root.nodes.items()} == _model(layers)


def _model(layers: list[Members]) -> dict[str, int]:
    """Path → layer by looking at all paths again and again."""
    shown: dict[str, tuple[int, bool]] = {}

    def drop(path: str, *, itself: bool) -> None:
        for other in list(shown):
            if other.startswith(f"{path}/") or (itself and other == path):
                del shown[other]

    for number, members in enumerate(layers):
        names = [header.name for header, _ in members]
        for name in names:
            head, _, last = name.rpartition("/")
            if last == ".wh..wh..opq":
                drop(head, itself=False)
            elif last.startswith(".wh."):
                drop(f"{head}/{last[4:]}", itself=True)
        for header, _ in members:
            if ".wh." in header.name:
                continue
            parts = header.name.split("/")
            for count in range(1, len(parts)):
                shown.setdefault("/".join(parts[:count]), (number, True))
            is_folder = header.type == tarfile.DIRTYPE
            if not (is_folder and shown.get(header.name, (0, False))[1]):
                drop(header.name, itself=True)
            shown[header.name] = (number, is_folder)
    return {path: number for path, (number, _) in shown.items()}
