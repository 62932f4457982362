from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.errors import LapstrakeError
from lapstrake.formats.shell_pattern import PatternError, characters, compile_pattern, matches
from lapstrake.host import process


def match(pattern: str, text: str) -> bool:
    return matches(compile_pattern(characters(pattern), extended=True), text)


@pytest.mark.parametrize(
    "pattern, text, expected",
    [
        ("!(amd64|arm64)", "amd64", False),
        ("!(amd64|arm64)", "riscv64", True),
        ("@(ppc64)", "ppc64el", False),
        ("ppc64", "ppc64el", False),
        ("ppc64*", "ppc64el", True),
        ("(a|b)", "a", False),
        ("a|b", "a", False),
        ("*(ab|c)d", "ababcd", True),
        ("+(a)", "", False),
        ("?(a)b", "b", True),
        ("!(!(a))", "a", True),
        ("[!a-c]x", "dx", True),
        ("[a", "[a", True),
        (r"\*", "x", False),
    ],
)
def test_patterns(pattern: str, text: str, expected: bool) -> None:
    assert match(pattern, text) is expected


def test_a_group_needs_the_option() -> None:
    with pytest.raises(PatternError):
        compile_pattern(characters("+(a)"))


def test_groups_are_not_nested_without_bound() -> None:
    with pytest.raises(PatternError):
        compile_pattern(characters("!(" * 5000 + ")" * 5000), extended=True)


atoms = st.sampled_from(["a", "b", "|", "*", "?", "[ab]", "[!a]", "\\*"])
patterns = st.recursive(
    st.lists(atoms.filter(lambda atom: atom != "|"), max_size=3).map("".join),
    lambda inner: st.tuples(
        st.sampled_from("?*+@!"), st.lists(inner, min_size=1, max_size=3), inner
    ).map(lambda parts: f"{parts[0]}({'|'.join(parts[1])}){parts[2]}"),
    max_leaves=6,
)


@given(st.lists(st.tuples(patterns, st.text("ab*", max_size=5)), min_size=5, max_size=30))
@settings(max_examples=25, deadline=None)
def test_groups_match_as_in_bash(cases: list[tuple[str, str]]) -> None:
    script = "shopt -s extglob\n" + "".join(
        f"p={shlex.quote(pattern)}; [[ {shlex.quote(text)} == $p ]]; echo $?\n"
        for pattern, text in cases
    )
    done = process.run(
        ["bash", "--norc", "-c", script], timeout=60, error=LapstrakeError, cwd=Path("/")
    )
    truth = [line == "0" for line in done.text.split()]
    assert [match(pattern, text) for pattern, text in cases] == truth
