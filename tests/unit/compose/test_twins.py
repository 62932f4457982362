"""Files that a package may share with itself of another architecture."""

from __future__ import annotations

from lapstrake.compose.doubt import Below, Entry, Kind, Unpacked, doubt
from lapstrake.compose.twins import alike

FOLDER, FILE, LINK = (Entry(kind=kind) for kind in (Kind.FOLDER, Kind.FILE, Kind.LINK))
ENTRIES = {"/usr": FOLDER, "/usr/a": FILE, "/usr/b": FILE, "/usr/l": LINK, "/etc/c": FILE}
SUMS = {"/usr": "", "/usr/a": "a" * 32, "/usr/b": "b" * 32, "/usr/l": "", "/etc/c": ""}


def test_equal_bytes_and_links_are_shared() -> None:
    assert alike(ENTRIES, SUMS, SUMS) == {"/usr/a", "/usr/l"} | {"/usr/b"}


def test_other_bytes_and_what_the_other_lacks_are_not() -> None:
    theirs = {"/usr": "", "/usr/a": "a" * 32, "/usr/b": "0" * 32}
    assert alike(ENTRIES, SUMS, theirs) == {"/usr/a"}


def test_a_configuration_file_is_not_for_it_may_have_been_changed() -> None:
    assert "/etc/c" not in alike(ENTRIES, SUMS, SUMS)


def foreign(name: str, shared: frozenset[str]) -> Unpacked:
    entries = {"/usr": FOLDER, "/usr/doc": FILE, f"/usr/{name}": FILE}
    return Unpacked(name=name, version="1", arch="arm64", entries=entries, shared=shared)


def test_what_is_shared_raises_no_doubt_and_all_else_does() -> None:
    below = Below(lookup={"/usr": FOLDER, "/usr/doc": FILE}.get)
    assert "/usr/doc of a:arm64 is in the branch" in doubt([foreign("a:arm64", frozenset())], below)
    sharing = foreign("a:arm64", frozenset({"/usr/doc"}))
    assert not doubt([sharing], below)
    other = foreign("b:arm64", frozenset())
    assert "/usr/doc of b:arm64" in doubt([sharing, other], below)
