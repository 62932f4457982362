"""The model of an archive's folder: no name and no link of any archive reaches outside."""

from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lapstrake.formats.archive_entry import ArchiveEntry, EntryKind
from lapstrake.source.archive_tree import ArchiveTree, RefusedEntry, safe_parts
from lapstrake.source.writer import TreeWriter

PART = st.sampled_from(["a", "b", "c", "..", ".", "", "x y"])
NAME = st.lists(PART, min_size=1, max_size=5).map("/".join)


@pytest.mark.parametrize(
    ("name", "parts"),
    [("a/b", ("a", "b")), ("./a//b/", ("a", "b")), (".", ()), ("a/./b", ("a", "b"))],
)
def test_clean_names(name: str, parts: tuple[str, ...]) -> None:
    assert safe_parts(name) == parts


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "a/../../x", "a\0b", "a/" * 300, "n" * 256]
)
def test_bad_names_are_refused(name: str) -> None:
    with pytest.raises(RefusedEntry):
        safe_parts(name)


@given(st.text(max_size=40))
def test_what_passes_stays_below(name: str) -> None:
    try:
        parts = safe_parts(name)
    except RefusedEntry:
        return
    joined = os.path.normpath("/".join(("/root/of/it", *parts)))
    assert joined == "/root/of/it" or joined.startswith("/root/of/it/")


def test_nothing_goes_through_a_link() -> None:
    tree = ArchiveTree()
    tree.symlink("here", "elsewhere")
    with pytest.raises(RefusedEntry, match="through the link 'here'"):
        tree.file("here/evil")


def test_nothing_goes_through_a_file() -> None:
    tree = ArchiveTree()
    tree.file("here")
    with pytest.raises(RefusedEntry, match="through the file 'here'"):
        tree.folder("here/deeper")


def test_a_link_out_by_an_earlier_link() -> None:
    # Word by word "d/e/up/.." is inside; followed, "up" is the top and ".." of that is not.
    tree = ArchiveTree()
    tree.symlink("d/e/up", "../..")
    tree.symlink("innocent", "d/e/up/..")
    with pytest.raises(RefusedEntry, match="'innocent' links outside"):
        tree.check_links()


def test_loops_are_harmless() -> None:
    tree = ArchiveTree()
    tree.symlink("a", "b")
    tree.symlink("b", "a")
    tree.check_links()


def test_hard_links_only_to_earlier_files() -> None:
    tree = ArchiveTree()
    tree.file("real")
    place, source = tree.hard_link("second", "./real")
    assert (place.path, source) == ("second", "real")
    tree.symlink("soft", "real")
    for target in ("missing", "../real", "soft", "second/../../etc/passwd"):
        with pytest.raises(RefusedEntry):
            tree.hard_link("third", target)


ENTRY = st.one_of(
    st.tuples(st.just("folder"), NAME, st.just("")),
    st.tuples(st.just("file"), NAME, st.just("")),
    st.tuples(st.just("symlink"), NAME, NAME),
    st.tuples(st.just("hard_link"), NAME, NAME),
)
KINDS = {
    "folder": EntryKind.FOLDER, "file": EntryKind.FILE,
    "symlink": EntryKind.SYMLINK, "hard_link": EntryKind.HARD_LINK,
}  # fmt: skip


@given(st.lists(ENTRY, max_size=12))
@example([("symlink", "a/b/c", "../.."), ("symlink", "x y", "a/b/c/../a")])
def test_the_disk_agrees_with_the_model(entries: list[tuple[str, str, str]]) -> None:
    """Whatever the model lets pass, the kernel finds nothing that resolves to the outside."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "outside", "root").resolve()
        root.mkdir(parents=True)
        for outside in ("a", "b", "c", "x y"):  # so that whatever leads outside arrives somewhere
            (root.parent / outside).mkdir()
            (root.parent.parent / outside).mkdir()
        before = sorted(root.parent.parent.rglob("*"))
        writer = TreeWriter(root, limit=1000, inside_only=True)
        for kind, name, target in entries:
            content = io.BytesIO(b"x")
            entry = ArchiveEntry(
                name=name, kind=KINDS[kind], target=target,
                read=content.read,
            )  # fmt: skip
            try:
                writer.write(entry)
            except RefusedEntry:
                continue
        after = [p for p in root.parent.parent.rglob("*") if root not in p.parents]
        assert sorted(after) == before
        try:
            writer.finish()
        except RefusedEntry:
            return
        for path in root.rglob("*"):
            with suppress(OSError, RuntimeError):  # it leads nowhere, or in a circle
                assert path.resolve(strict=True).is_relative_to(root)
