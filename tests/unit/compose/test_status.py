"""dpkg's list of packages, dependencies and triggers, as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.compose.relations import Installed, Relation, named_in, parse_relations, reachable
from lapstrake.compose.status import parse_stanza, parse_status, unpacked_stanza
from lapstrake.compose.triggers import added_interests, interests, woken
from lapstrake.compose.unpack import conffile_states

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Source: glibc (2.36-9)
Version: 2.36-9+b1
Provides: libc6-2.36
Description: library
 with lines
 .
 of text: and colons

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3-1
Provides: awk (= 2)
Pre-Depends: libc6 (>= 2.34)

Package: tool
Status: install ok installed
Architecture: all
Version: 1:2
Depends: gawk | awk, libc6:any, absent | mawk (>= 9) | libc6-2.36

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

"""


def test_reading_the_list() -> None:
    libc, mawk, tool, gone = parse_status(STATUS)
    assert (libc.name, libc.source, libc.qualified) == ("libc6", ("glibc", "2.36-9"), "libc6:amd64")
    assert (mawk.source, mawk.qualified) == (("mawk", "1.3-1"), "mawk")
    assert libc["description"].endswith("of text: and colons")
    assert (tool.state, gone.state) == ("installed", "config-files")
    assert tool["no-such-field"] == ""


def test_what_dpkg_is_told_of_unpacked_files() -> None:
    control = "Package: a\nVersion: 1\nDescription: b\n c\n"
    text = unpacked_stanza(control, [("/etc/a", "0" * 32), ("/etc/b c", "1" * 32)])
    stanza = parse_stanza(text)
    assert text.endswith("\n\n")
    assert (stanza.state, stanza["description"]) == ("unpacked", "b\n c")
    assert stanza["conffiles"].split("\n")[1:] == [f" /etc/a {'0' * 32}", f" /etc/b c {'1' * 32}"]
    assert "Conffiles" not in unpacked_stanza(control, [])


def test_configuration_files_and_those_that_shall_be_gone() -> None:
    listed = "/etc/a\nremove-on-upgrade  /etc/old one\n/etc/b c\n/etc/d\\e\n"
    sums = [f"{n * 32}  tree/etc/{name}\n" for n, name in (("0", "a"), ("1", "b c"))]
    states = conffile_states(listed, f"{''.join(sums)}\\{'2' * 32}  tree/etc/d\\\\e\n")
    assert states == (
        ("/etc/a", "0" * 32),
        ("/etc/old one", "newconffile remove-on-upgrade"),
        ("/etc/b c", "1" * 32),
        ("/etc/d\\e", "2" * 32),
    )


def test_who_satisfies_what() -> None:
    installed = Installed(parse_status(STATUS), "amd64")
    needs = {name: installed.needs(stanza) for name, stanza in installed.by_name.items()}
    assert needs == {"libc6": (), "mawk": ("libc6",), "tool": ("libc6", "mawk")}
    assert reachable(["tool"], needs) == ("libc6", "mawk", "tool")
    assert installed.who(Relation(name="gone")) is None


def test_packages_that_need_each_other() -> None:
    assert reachable(["a"], {"a": ("b",), "b": ("a",), "c": ("a",)}) == ("a", "b")


@pytest.mark.parametrize(
    ("relation", "version", "holds"),
    [
        ("a", "", True),
        ("a (>= 1)", "1", True),
        ("a (>= 1)", "", False),
        ("a (>= 1:0)", "9", False),
        ("a (<< 1)", "1~rc1", True),
        ("a (<< 1)", "1", False),
        ("a (>> 1)", "1", False),
        ("a (>> 1)", "1+b1", True),
        ("a (= 1)", "1.0", False),
        ("a (<= 1)", "1", True),
        ("a (< 1)", "1", True),  # obsolete forms mean <= and >=
        ("a (> 1)", "1", True),
    ],
)
def test_versions(relation: str, version: str, holds: bool) -> None:
    ((one,),) = parse_relations(relation)
    assert one.holds_for(version) is holds


def test_names_in_a_field() -> None:
    assert named_in("a (>= 1), b:any | c, Conflicts: d") >= {"a", "b", "c"}
    assert parse_relations(" , ") == ()


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    parse_relations(text)
    parse_status(text)
    interests("a", text)


def test_interests() -> None:
    text = "# nothing\ninterest /usr/share/a\ninterest-noawait ldconfig # why\nactivate x\n"
    new = interests("a:amd64", text)
    assert new == (("/usr/share/a", "a:amd64"), ("ldconfig", "a:amd64/noawait"))
    before = {"File": "/x b\n", "ldconfig": "libc-bin\n"}
    assert added_interests(new, before) == {
        "File": "/x b\n/usr/share/a a:amd64\n",
        "ldconfig": "libc-bin\na:amd64/noawait\n",
    }


def test_who_is_woken() -> None:
    interested = "/usr/share/man man-db/noawait\n/lib/udev udev\n/usr/share/ma x\n/opt y\n"
    paths = ["/", "/usr/share/man", "/usr/share/man/man1/a.1.gz", "/usr/lib/udev/rules.d/1"]
    assert woken(interested, [paths, ["/optional"]]) == "/lib/udev -\n/usr/share/man -\n"
    assert woken("", [paths]) == ""
