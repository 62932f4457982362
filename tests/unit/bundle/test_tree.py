from __future__ import annotations

from pathlib import Path

import pytest

from lapstrake.bundle.base import BundleFormat
from lapstrake.bundle.tree import AmbiguousBundle, Tree, UnknownBundle, format_of
from lapstrake.bundle.tree_groups import expand, read_group
from lapstrake.errors import BundleError, UsageError


def write(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    for address in ("app/hello", "app/editor", "lang/hello", "lang/six"):
        write(tmp_path / address / "spec", "VER=1")
        write(tmp_path / address / "autobuild/defines", f"PKGNAME={address[-5:]}\n")
    write(tmp_path / "app/editor/autobuild/defines", 'PKGNAME="editor-gtk"\n')
    write(tmp_path / "lang/multi/spec", "VER=1")
    write(tmp_path / "lang/multi/01-run/defines", "PKGNAME=multi-run\n")
    write(tmp_path / "lang/multi/02-dev/defines", "PKGNAME='multi-dev' # x\n")
    write(tmp_path / "deb/sub/tool/debian/control")
    write(tmp_path / "own/lapstrake.toml")
    write(tmp_path / "app/editor/inner/spec")
    write(tmp_path / "one/two/three/deep/spec")
    write(tmp_path / ".git/x/spec")
    (tmp_path / "app/linked").symlink_to("../lang/six")
    return Tree(tmp_path)


def test_all_bundles_are_found_with_their_formats(tree: Tree) -> None:
    assert {bundle.address: bundle.format for bundle in tree.bundles} == {
        "app/editor": BundleFormat.AOSC,
        "app/hello": BundleFormat.AOSC,
        "deb/sub/tool": BundleFormat.DEBIAN,
        "lang/hello": BundleFormat.AOSC,
        "lang/multi": BundleFormat.AOSC,
        "lang/six": BundleFormat.AOSC,
        "own": BundleFormat.NATIVE,
    }


@pytest.mark.parametrize(
    "name, address",
    [
        ("app/hello", "app/hello"),
        ("app/hello/", "app/hello"),
        ("six", "lang/six"),
        ("tool", "deb/sub/tool"),
        ("own", "own"),
        ("editor-gtk", "app/editor"),
        ("multi-dev", "lang/multi"),
    ],
)
def test_names(tree: Tree, name: str, address: str) -> None:
    found = tree.find(name)
    assert found.address == address
    assert found.path == tree.root / address
    assert found.format is format_of(found.path)


def test_an_ambiguous_name_is_an_error_listing_the_candidates(tree: Tree) -> None:
    with pytest.raises(AmbiguousBundle) as problem:
        tree.find("hello")
    assert problem.value.details.splitlines() == ["app/hello", "lang/hello"]


def test_two_bundles_that_make_the_same_package_are_ambiguous(tree: Tree) -> None:
    write(tree.root / "app/other/spec")
    write(tree.root / "app/other/autobuild/defines", "PKGNAME=multi-run")
    with pytest.raises(AmbiguousBundle, match="multi-run"):
        tree.find("multi-run")


@pytest.mark.parametrize(
    "name",
    ["helo", "", ".", "..", "../x", "/", "app", "inner", "deep", "x", "linked", "app/nothing"],
)
def test_what_is_no_bundle_is_unknown(tree: Tree, name: str) -> None:
    with pytest.raises(UnknownBundle):
        tree.find(name)


def test_an_address_outside_of_the_tree_is_unknown(tree: Tree) -> None:
    inner = Tree(tree.root / "app")
    with pytest.raises(UnknownBundle):
        inner.find("../lang/six")


def test_an_unknown_name_tells_the_nearest(tree: Tree) -> None:
    with pytest.raises(UnknownBundle, match="lang/six"):
        tree.find("sixx")


def test_a_tree_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        Tree(tmp_path / "nowhere")


def addresses(tree: Tree, *names: str) -> list[str]:
    return [bundle.address for bundle in expand(tree, names)]


def test_groups_nest_and_keep_their_order(tree: Tree) -> None:
    write(tree.root / "groups/base", "# text\n\n  lang/six  # why\ngroups/more\nown\n")
    write(tree.root / "groups/more", "multi-dev\nlang/six\ntool")
    assert addresses(tree, "groups/base", "own", "app/hello") == [
        "lang/six", "lang/multi", "deb/sub/tool", "own", "app/hello",
    ]  # fmt: skip


def test_a_group_anywhere(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lists") / "mine"
    write(path, "six\n")
    assert [bundle.address for bundle in read_group(tree, path)] == ["lang/six"]


def test_a_group_within_itself_names_the_circle(tree: Tree) -> None:
    write(tree.root / "groups/a", "groups/b\n")
    write(tree.root / "groups/b", "six\ngroups/a\n")
    with pytest.raises(BundleError, match="groups/a > groups/b > groups/a"):
        expand(tree, ["groups/a"])


@pytest.mark.parametrize("depth, fine", [(32, True), (33, False)])
def test_groups_nest_32_deep(tree: Tree, depth: int, fine: bool) -> None:
    for number in range(1, depth):
        write(tree.root / f"groups/{number}", f"groups/{number + 1}\n")
    write(tree.root / f"groups/{depth}", "six\n")
    if fine:
        assert addresses(tree, "groups/1") == ["lang/six"]
    else:
        with pytest.raises(BundleError, match="32 deep"):
            expand(tree, ["groups/1"])


def test_all_unknown_members_are_named_with_their_lines(tree: Tree) -> None:
    write(tree.root / "groups/a", "six\nnothing\nhello\n")
    with pytest.raises(BundleError) as problem:
        expand(tree, ["groups/a"])
    assert "groups/a:2: " in problem.value.details
    assert "groups/a:3: " in problem.value.details


@pytest.mark.parametrize("content", ["groups/none\n", "nothing\n"])
def test_one_unknown_member(tree: Tree, content: str) -> None:
    write(tree.root / "groups/a", "# x\n" + content)
    with pytest.raises(BundleError, match=r"^groups/a:2: "):
        expand(tree, ["groups/a"])


def test_a_list_that_is_no_text(tree: Tree) -> None:
    (tree.root / "groups").mkdir()
    (tree.root / "groups/a").write_bytes(b"\xff\xfe\n")
    with pytest.raises(BundleError, match="UTF-8"):
        expand(tree, ["groups/a"])


def test_a_list_that_is_not_there(tree: Tree) -> None:
    with pytest.raises(BundleError, match="No such file"):
        read_group(tree, tree.root / "nothing")
