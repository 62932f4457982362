"""`CrossEnvironment`: what a program is started with, and entering it again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.toolchain.base import MARK, CrossEnvironment, Front, without_ours

ENVIRONMENT = CrossEnvironment(
    variables={"CC": "/t/bin/arm-gcc", "GOARM": "7"},
    fronts={"PATH": Front(text="/t/bin", separator=":"), "CFLAGS": Front(text="-O2 --sysroot=/s")},
    unset=("PKG_CONFIG_PATH",),
)


def test_ours_comes_first_and_the_users_flags_stay() -> None:
    user = {"PATH": "/usr/bin", "CFLAGS": "-g", "CC": "cc", "PKG_CONFIG_PATH": "/x", "HOME": "/h"}
    seen = ENVIRONMENT.applied(user)
    assert seen.pop(MARK)
    assert seen == {
        "PATH": "/t/bin:/usr/bin",
        "CFLAGS": "-O2 --sysroot=/s -g",
        "CC": "/t/bin/arm-gcc",
        "GOARM": "7",
        "HOME": "/h",
    }
    assert user["CC"] == "cc"


def test_nothing_is_put_behind_ours_when_nothing_was_there() -> None:
    assert ENVIRONMENT.applied({"CFLAGS": ""})["CFLAGS"] == "-O2 --sysroot=/s"
    assert ENVIRONMENT.applied({})["PATH"] == "/t/bin"


def test_another_target_leaves_nothing_of_the_first() -> None:
    other = CrossEnvironment(variables={"CC": "mips-gcc"}, fronts={"CFLAGS": Front(text="-mips")})
    user = {"PATH": "/usr/bin", "CFLAGS": "-g"}
    inside = ENVIRONMENT.applied(user)
    assert other.applied(inside) == other.applied(user)
    assert other.changes(inside)["GOARM"] is None


def test_what_the_user_sets_inside_is_the_users() -> None:
    inside = ENVIRONMENT.applied({}) | {"CC": "clang", "CFLAGS": "-O0"}
    left = without_ours(inside)
    assert left == {"CC": "clang", "CFLAGS": "-O0"}


@pytest.mark.parametrize("mark", ["", "CC", "CC=", "CC=x.y", "CC=-1.00000000", "=3.12", "CC=9e9.0"])
def test_a_mark_that_is_not_ours_does_no_harm(mark: str) -> None:
    assert without_ours({"CC": "gcc", MARK: mark}) == {"CC": "gcc"}


_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
_NAMES = st.sampled_from(["PATH", "CFLAGS", "CC", "GOARM", "PKG_CONFIG_PATH", "HOME"])


@given(st.dictionaries(_NAMES, _TEXTS))
def test_entering_twice_is_entering_once(user: dict[str, str]) -> None:
    once = ENVIRONMENT.applied(user)
    assert ENVIRONMENT.applied(once) == once


@given(st.dictionaries(_NAMES, _TEXTS))
def test_the_printed_changes_are_what_is_applied(user: dict[str, str]) -> None:
    after = dict(user)
    for name, value in ENVIRONMENT.changes(user).items():
        if value is None:
            after.pop(name, None)
        else:
            after[name] = value
    assert after == ENVIRONMENT.applied(user)
