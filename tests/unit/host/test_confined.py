"""Reading trees that somebody hostile wrote."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import UnpackError
from lapstrake.host.confined import copy_confined, open_confined, read_confined, walk_confined


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree with every trap, beside a secret."""
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "file").write_text("content")
    (root / "deep" / "er" / "file").write_text("deep content")
    (root / "deep" / "tool").write_text("#!/bin/sh\n")
    (root / "deep" / "tool").chmod(0o4755)
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "absolute").symlink_to("/etc/passwd")
    (root / "inner").symlink_to("file")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "deep" / "link").symlink_to("../../outside")
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(root)  # a socket's name is short
        try:
            server.bind("socket")
        finally:
            os.chdir(here)
    return root


@pytest.mark.parametrize("path", ["file", "/file", "./file", "//file"])
def test_reads_a_file(tree: Path, path: str) -> None:
    assert read_confined(tree, path) == b"content"


@pytest.mark.parametrize("path", ["missing", "deep/missing", "missing/deep", "deep/er/x/y"])
def test_a_missing_file_is_none(tree: Path, path: str) -> None:
    assert read_confined(tree, path) is None
    assert copy_confined(tree, path, tree / "copy") == 0


@pytest.mark.parametrize(
    "path",
    [
        "link", "absolute", "inner", "folder/secret", "folder", "deep/link/secret", "fifo",
        "socket", "deep",
        "file/x", "../secret", "deep/../../secret", "/..", "", "/", "a\0b", "x" * 300,
    ],
)  # fmt: skip
def test_refuses_what_is_no_regular_file_of_the_tree(tree: Path, path: str) -> None:
    with pytest.raises(UnpackError):
        read_confined(tree, path)


def test_refuses_more_than_the_limit(tree: Path) -> None:
    assert read_confined(tree, "file", limit=7) == b"content"
    with pytest.raises(UnpackError, match="more than 6 bytes"):
        read_confined(tree, "file", limit=6)


def test_open_gives_none_or_a_file(tree: Path) -> None:
    with open_confined(tree, "file") as file:
        assert file is not None
        assert file.read() == b"content"
    with open_confined(tree, "missing") as file:
        assert file is None


def test_walk_lists_regular_files_sorted_without_set_id_bits(tree: Path) -> None:
    entries = list(walk_confined(tree))
    assert [str(entry.path) for entry in entries] == ["file", "deep/tool", "deep/er/file"]
    assert [entry.size for entry in entries] == [7, 10, 12]
    assert entries[1].mode == 0o755
    assert list(walk_confined(tree, "missing")) == []
    with pytest.raises(UnpackError):
        list(walk_confined(tree, "folder"))


def test_walk_is_bounded(tree: Path) -> None:
    with pytest.raises(UnpackError, match="more than 5 files"):
        list(walk_confined(tree, entries=5))
    (tree / Path(*["d"] * 300)).mkdir(parents=True)
    with pytest.raises(UnpackError, match="deep"):
        list(walk_confined(tree))


def test_copies_regular_files_and_nothing_else(tree: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert copy_confined(tree, "/", target) == 3
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    assert found == ["deep/er/file", "deep/tool", "file"]
    assert not any(path.is_symlink() for path in target.rglob("*"))
    assert stat.S_IMODE((target / "deep" / "tool").stat().st_mode) == 0o755


def test_copies_one_file_or_one_folder(tree: Path, tmp_path: Path) -> None:
    assert copy_confined(tree, "file", tmp_path / "one") == 1
    assert (tmp_path / "one").read_text() == "content"
    assert copy_confined(tree, "deep", tmp_path / "folder") == 2
    assert (tmp_path / "folder" / "er" / "file").read_text() == "deep content"


@pytest.mark.parametrize("path", ["link", "folder", "folder/secret", "../secret"])
def test_copy_refuses_links(tree: Path, tmp_path: Path, path: str) -> None:
    with pytest.raises(UnpackError):
        copy_confined(tree, path, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_copy_writes_over_nothing(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    with pytest.raises(FileExistsError):
        copy_confined(tree, "file", tmp_path / "there")
    assert (tmp_path / "there").read_text() == "mine"


PIECES = st.sampled_from(["..", ".", "", "deep", "er", "link", "folder", "secret", "inner", "x"])


@given(pieces=st.lists(PIECES, max_size=6), absolute=st.booleans())
def test_no_path_reaches_outside(
    pieces: list[str], absolute: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("given")
    root = top / "root"
    (root / "deep" / "er").mkdir(parents=True)
    (top / "secret").write_text("secret")
    (root / "secret").write_text("inside")
    (root / "deep" / "link").symlink_to("../..")
    (root / "folder").symlink_to("..")
    path = PurePosixPath("/" if absolute else "", *[piece for piece in pieces if piece])
    try:
        data = read_confined(root, path)
    except UnpackError:
        return
    assert data in (None, b"inside")
