"""What keeps packages from being composed, and what does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.compose.doubt import Below, Entry, Kind, Mend, Unpacked, doubt, mends
from lapstrake.compose.preinst import is_inert, judge
from lapstrake.errors import DependencyError

FOLDER, FILE, LINK = (Entry(kind=kind) for kind in (Kind.FOLDER, Kind.FILE, Kind.LINK))


def package(name: str) -> Unpacked:
    entries = {
        "/usr": FOLDER,
        "/usr/bin": FOLDER,
        f"/usr/bin/{name}": FILE,
        f"/usr/share/{name}": FOLDER,
    }
    return Unpacked(
        name=name,
        version="1",
        arch="all",
        entries=entries,
    )


def root(**entries: Entry) -> dict[str, Entry]:
    """What a branch has; keywords are paths with ``_`` for each slash."""
    return {"/usr": FOLDER, **{path.replace("_", "/"): entry for path, entry in entries.items()}}


def test_packages_that_do_not_meet_can_be_composed() -> None:
    assert not doubt([package("one"), package("two")], Below(lookup=root(_usr_bin=FOLDER).get))


@pytest.mark.parametrize(
    ("below", "reason"),
    [
        (Below(lookup=root().get, known=frozenset({"two"})), "two is in the branch already"),
        (Below(lookup=root(_usr_bin_two=FILE).get), "/usr/bin/two of two is in the branch"),
        (Below(lookup=root(_usr_share_two=LINK).get), "/usr/share/two of two is in the branch"),
        (Below(lookup=root(_usr_bin_two=FOLDER).get), "/usr/bin/two of two is in the branch"),
        (Below(lookup=root().get, diverted=frozenset({"/usr/bin/two"})), "two is diverted"),
        (Below(lookup=root().get, overrides=frozenset({"/usr/bin/two"})), "two has an owner"),
        (
            Below(lookup=root().get, configuration="# slim\npath-exclude=/usr/share/doc/*\n"),
            "path-exclude",
        ),
    ],
)
def test_what_a_package_meets_below(below: Below, reason: str) -> None:
    assert reason in doubt([package("one"), package("two")], below)


def test_a_package_that_removes_a_file() -> None:
    one = replace(package("one"), unwanted=frozenset({"/etc/old"}))
    assert not doubt([one], Below(lookup=root().get))
    assert doubt([one], Below(lookup=root(_etc_old=FILE).get)) == "one removes /etc/old"


def test_a_comment_filters_nothing() -> None:
    below = Below(lookup=root().get, configuration="# path-exclude=/usr\nno-debsig\n")
    assert not doubt([package("one")], below)


@pytest.mark.parametrize("kind", [FILE, LINK])
def test_packages_with_the_same_path(kind: Entry) -> None:
    two = package("two")
    two = Unpacked(
        name="two", version="1", arch="all", entries={**two.entries, "/usr/share/one": kind}
    )
    reason = doubt([package("one"), two], Below(lookup=root().get))
    assert reason == "/usr/share/one of two is in one already"


def test_folders_below_stay_as_they_were() -> None:
    sticky = Entry(kind=Kind.FOLDER, mode=0o1777, gid=50)
    below = Below(lookup=root(_usr_bin=sticky).get)
    assert mends([package("one"), package("two")], below) == (Mend(path="/usr/bin", entry=sticky),)


HELPER = 'dpkg-maintscript-helper rm_conffile /etc/x 1.0\\~ x -- "$@"\n'


@pytest.mark.parametrize(
    "script",
    [
        "",
        f"#!/bin/sh\nset -e\n# Automatically added by dh_installdeb/13\n{HELPER}exit 0\n",
        '#!/bin/sh\nif [ "$1" = "install" ] && [ -n "$2" ] && [ -e "/etc/init.d/x" ] ; then\n'
        '\tchmod +x "/etc/init.d/x" >/dev/null || true\nfi\n',
    ],
)
def test_scripts_for_upgrades_only(script: str) -> None:
    assert is_inert(script)


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nmkdir -p /var/lib/x\n",
        f"#!/bin/sh\n{HELPER}rm -f /x\n",
        'dpkg-maintscript-helper rm_conffile $(rm /x) -- "$@"\n',
        'dpkg-maintscript-helper rm_conffile x; rm /x -- "$@"\n',
        '#!/bin/sh\nif [ "$1" = "install" -o "$1" = "upgrade" ]\nthen\n\tmkdir /x\nfi\n',
        '#!/bin/sh\nif [ "$1" = "install" ] && [ -n "$2" ] && [ -e "/etc/x" ] ; then\n'
        '\tchmod +x "/etc/x" >/dev/null || true\nelse rm /x\nfi\n',
    ],
)
def test_scripts_that_may_do_something(script: str) -> None:
    assert not is_inert(script)


@pytest.mark.parametrize(
    ("trace", "used"),
    [
        ("+ one --now\n", "/usr/bin/one"),
        ("++ cat /usr/bin/one\n", "/usr/bin/one"),
        ("+ [ -e /bin/one ]\n", "/usr/bin/one"),
        ("+ [ -x /usr/share/one/*.hook ]\n", "/usr/share/one"),
    ],
)
def test_a_script_that_uses_another_new_package(tmp_path: Path, trace: str, used: str) -> None:
    both = [package("one"), package("two")]
    reason = judge(both, {"two": trace}, root().get, tmp_path)
    assert reason == f"the preinst of two uses {used}, which one brings"
    assert not judge(both[::-1], {"two": trace}, root().get, tmp_path), "one comes later"
    there = root(_usr_bin_one=FILE, _usr_share_one=FOLDER)
    assert not judge(both, {"two": trace}, there.get, tmp_path), "the branch has it, too"


def test_what_a_script_says_is_not_what_it_does(tmp_path: Path) -> None:
    said = "one\n/usr/bin/one\n+ update-alternatives --auto /usr/bin/one\n"
    assert not judge([package("one"), package("two")], {"two": said}, root().get, tmp_path)


def test_a_script_that_writes_what_a_package_brings(tmp_path: Path) -> None:
    (tmp_path / "usr/share/one").mkdir(parents=True)
    assert not judge([package("one")], {"one": ""}, root().get, tmp_path)
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/one").touch()
    reason = judge([package("one")], {"one": ""}, root().get, tmp_path)
    assert reason == "a preinst deals with /usr/bin/one, which one brings"


@pytest.mark.parametrize(("by", "doubtful"), [("one", True), ("two", False)])
def test_a_diversion_of_what_another_package_brings(
    tmp_path: Path, by: str, doubtful: bool
) -> None:
    rules = tmp_path / "var/lib/dpkg/diversions"
    rules.parent.mkdir(parents=True)
    rules.write_text(f"/usr/bin/two\n/usr/bin/two.real\n{by}\n")
    reason = judge([package("one"), package("two")], {by: ""}, root().get, tmp_path)
    assert reason == ("/usr/bin/two of two is diverted by one" if doubtful else "")


def test_diversions_are_not_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "tree/var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "tree/var/lib/dpkg/diversions").symlink_to("/dev/zero")
    with pytest.raises(DependencyError):
        judge([], {}, root().get, tmp_path / "tree")


def test_a_rule_about_modes(tmp_path: Path) -> None:
    rules = tmp_path / "var/lib/dpkg/statoverride"
    rules.parent.mkdir(parents=True)
    rules.write_text("root root 4755 /usr/bin/one\n")
    assert "dpkg-statoverride" in judge([package("one")], {"one": ""}, root().get, tmp_path)
