"""Packages and Release as text."""

from __future__ import annotations

import lzma
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import PublishError
from lapstrake.formats.aptindex import (
    IndexEntry,
    index_entry,
    parse_index,
    parse_release,
    render_release,
    render_sections,
    render_sources,
)
from lapstrake.formats.deb import Deb


def deb(package: str = "hello", version: str = "1.0", **fields: str) -> Deb:
    control = {"Package": package, "Version": version, "Architecture": "all", **fields}
    return Deb(
        path=Path(f"{package}_{version}_all.deb"),
        package=package,
        version=version,
        architecture="all",
        fields=tuple(control.items()),
        size=7,
    )


def entry(package: str = "hello", version: str = "1.0", **fields: str) -> IndexEntry:
    location = f"./{package}_{version}_all.deb"
    return index_entry(deb(package, version, **fields), location=location, sha256="0" * 64)


def test_an_entry_holds_every_field_and_the_files_own() -> None:
    made = index_entry(
        deb(Depends="a, b", Description="x\n long"), location="./h.deb", sha256="ab", build="b1"
    )
    assert made.stanza == (
        "Package: hello\nVersion: 1.0\nArchitecture: all\nDepends: a, b\nDescription: x\n long\n"
        "Filename: ./h.deb\nSize: 7\nSHA256: ab\nLapstrake-Build: b1"
    )


def test_a_package_cannot_say_where_it_is_or_what_its_sum_is() -> None:
    lies = {"filename": "../../etc/passwd", "SHA256": "f" * 64, "Size": "1", "MD5sum": "1"}
    made = entry(**lies)
    assert "passwd" not in made.stanza
    assert made.stanza.lower().count("\nsha256:") == 1
    assert parse_index(b"".join(render_sections([made]))) == (made,)


def test_what_looks_like_a_field_in_a_long_text_is_none() -> None:
    made = entry(Description="x\n Filename: /etc/passwd\n SHA256: 1")
    assert parse_index(b"".join(render_sections([made]))) == (made,)


NAMES = st.from_regex(r"\A[a-z][a-z0-9]{0,5}\Z")
ENTRIES = st.lists(
    st.builds(entry, NAMES, st.from_regex(r"\A[0-9](\.[0-9]){0,2}\Z")),
    unique_by=lambda made: made.identity,
    max_size=40,
)


@given(entries=ENTRIES, data=st.data())
def test_what_is_written_is_read_and_order_does_not_matter(
    entries: list[IndexEntry], data: st.DataObject
) -> None:
    sections = render_sections(entries)
    assert sorted(parse_index(b"".join(sections)), key=repr) == sorted(entries, key=repr)
    shuffled = data.draw(st.permutations(entries))
    assert render_sections(shuffled) == sections


def test_one_more_package_changes_one_section() -> None:
    entries = [entry(f"package{number}") for number in range(500)]
    before = render_sections(entries)
    after = render_sections([*entries, entry("package77a")])
    assert len(before) > 3
    assert len(set(after) - set(before)) <= 2


@pytest.mark.parametrize("text", ["Package: x", "Package: x\nVersion: 1\nSize: many"])
def test_a_damaged_index_is_told(text: str) -> None:
    with pytest.raises(PublishError, match="paragraph 1 is damaged"):
        parse_index(text.encode())


def test_release() -> None:
    packed = lzma.compress(b"")
    text = render_release(
        origin="Lapstrake",
        label="Lapstrake stable",
        suite="stable",
        date=datetime(2025, 2, 3, 4, 5, 6, tzinfo=UTC),
        files={"Packages": ("0" * 64, 0), "Packages.xz": ("1" * 64, len(packed))},
    )
    assert b"Date: Mon, 03 Feb 2025 04:05:06 UTC\n" in text
    assert b"Acquire-By-Hash: yes\n" in text
    assert b"Valid-Until" not in text
    assert parse_release(text) == {
        "Packages": ("0" * 64, 0),
        "Packages.xz": ("1" * 64, len(packed)),
    }


def test_sources_hold_the_key_with_its_empty_line() -> None:
    text = render_sources(uri="file:/x", key="-----BEGIN\n\nabc\n-----END\n")
    assert text.endswith("Signed-By:\n -----BEGIN\n .\n abc\n -----END\n")
