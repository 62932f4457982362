"""tar's listing, read back: whatever the names are, they are those of the archive."""

from __future__ import annotations

import subprocess
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crafted import Member, tar
from lapstrake.baseos.changeset import LinkMap, parse_listing
from lapstrake.baseos.changeset import Member as Listed
from lapstrake.errors import BaseError

_NAMES = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0/"), min_size=1, max_size=12
).filter(lambda name: name.strip(".") != "")


@given(_NAMES, _NAMES)
@example('" link to "a', '" -> "b\n\\"')
@example("\u2028\x85\x1c\x0b\r", "\x7f\\101")
@settings(max_examples=40, deadline=None)
def test_names_are_read_as_they_are(name: str, link: str) -> None:
    members = (Member(name=name, content=b""), Member(name="l", link=link))
    hard = Member(name="h", link=name, hard=True)
    listing = subprocess.run(
        ["tar", "--list", "--verbose", "-P", "--quoting-style=c", "--file=-"],
        input=tar((*members, hard)),
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        check=True,
        capture_output=True,
    ).stdout
    assert list(parse_listing(listing)) == [
        Listed(kind="-", path=PurePosixPath(name)),
        Listed(kind="l", path=PurePosixPath("l"), link=link),
        Listed(kind="h", path=PurePosixPath("h"), link=name),
    ]


def test_links_in_a_circle_end() -> None:
    circle = [Listed(kind="l", path=PurePosixPath(one), link=two) for one, two in ("ab", "ba")]
    with pytest.raises(BaseError, match="through a link"):
        LinkMap().add_layer([*circle, Listed(kind="-", path=PurePosixPath("a/x"))])


def test_a_line_that_is_none() -> None:
    with pytest.raises(BaseError, match="cannot read"):
        list(parse_listing(b"tar: something\n"))
