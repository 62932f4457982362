from __future__ import annotations

import pytest

from lapstrake.errors import BundleError
from lapstrake.formats.shell import NeedsShell, ShellSyntaxError, Value, evaluate


def values(text: str, **variables: Value) -> dict[str, Value]:
    return dict(evaluate(text, variables=variables, origin="spec"))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", {}),
        ("# only a comment with $(rm) and `", {}),
        ("VER=1.2 REL=3; A=b # c", {"VER": "1.2", "REL": "3", "A": "b"}),
        ("export A='1 2' # x\nB=3", {"A": "1 2", "B": "3"}),
        ("A='x\ny' B=\"p\\\nq\"", {"A": "x\ny", "B": "pq"}),
        ('A="a\\q\\"\\$"', {"A": 'a\\q"$'}),
        ("A=a#b\\ c", {"A": "a#b c"}),
        ("V=1.2.3\nA=${V%.*} B=${V%%.*} C=${V#*.} D=${V##*.}", None),
        ("V=1+2+3\nA=${V/+/-} B=${V//+/_} C=${V:0:2} D=${V: -2} E=${V:0:-2}", None),
        ('A=${NO:-d} B=${NO-e} C=${NO:+f} D="${NO:-it}"', None),
        ("L=(a 'b c' \"$N\")\nL+=(d) \nS=${L[@]} F=$L E=()", None),
        ('L=(a b)\nM=("${L[@]}" c "x${L[@]}y")', None),
        ('V=1.5-rc1\nA=${V/-/~} B=${V/\\-/~} C="${V/-/\\~}"', None),
    ],
)
def test_assignments(text: str, expected: dict[str, Value] | None) -> None:
    by_hand: dict[str, dict[str, Value]] = {
        "V=1.2.3": {"V": "1.2.3", "A": "1.2", "B": "1", "C": "2.3", "D": "3"},
        "V=1+2+3": {"V": "1+2+3", "A": "1-2+3", "B": "1_2_3", "C": "1+", "D": "+3", "E": "1+2"},
        "A=${NO:-d}": {"A": "d", "B": "e", "C": "", "D": "it"},
        "L=(a 'b c'": {
            "L": ("a", "b c", "", "d"), "S": "a b c  d", "F": "a", "E": (),
        },
        "L=(a b)": {"L": ("a", "b"), "M": ("a", "b", "c", "xa", "by")},
        "V=1.5-rc1": {"V": "1.5-rc1", "A": "1.5~rc1", "B": "1.5~rc1", "C": "1.5~rc1"},
    }  # fmt: skip
    if expected is None:
        expected = next(value for start, value in by_hand.items() if text.startswith(start))
    assert values(text) == expected


def test_variables_given_are_seen_but_not_returned() -> None:
    assert values("A=$ARCH B=${LIST[1]}", ARCH="amd64", LIST=("x", "y")) == {"A": "amd64", "B": "y"}


@pytest.mark.parametrize(
    "text, line, construct",
    [
        ("A=$(id)", 1, "command substitution"),
        ('A=1\nB="x `id`"', 2, "command substitution"),
        ("A=$((1+1))", 1, "arithmetic"),
        ("A=$[1+1]", 1, "arithmetic"),
        ("A=1\n\nfoo() { :; }", 3, "a function"),
        ("function foo { :; }", 1, "a function"),
        ("if true; then A=1; fi", 1, "conditional (if)"),
        ("[[ $A ]] && B=1", 1, "conditional ([[)"),
        ("alias a=b", 1, "an alias"),
        ("A=1 make", 1, "the command make"),
        (". ./other", 1, "another file"),
        ("rm -rf /", 1, "the command rm"),
        ("export A=1 B=$A", 1, "export with more"),
        ("export A", 1, "the command export"),
        ("X=1 export A=1", 1, "the command export"),
        ("A=b & B=c", 1, "the operator &"),
        ("A=b > file", 1, "the operator >"),
        ("A=b>file", 1, "> after an assignment"),
        ("A[1]=x", 1, "one element"),
        ("A=$1", 1, "special parameter"),
        ("A=${!B}", 1, "expansion ${!"),
        ("A=${#B}", 1, "expansion ${#"),
        ("A=${B:=c}", 1, "expansion ${B:="),
        ("A=${B^^}", 1, "expansion ${B^"),
        ("A=$RANDOM", 1, "own variable RANDOM"),
        ("PATH=/x", 1, "own variable PATH"),
        ("IFS=,", 1, "own variable IFS"),
        ("A=$'\\n'", 1, "the quoting"),
        ("A=~/x", 1, "a ~"),
        ("A=b:~/x", 1, "a ~"),
        ("A=(*.c)", 1, "file name pattern"),
        ("A=({a,b})", 1, "a brace"),
        ("A=(<(id))", 1, "inside of an array"),
        ("A=<(id)", 1, "< after an assignment"),
        ("A=${B:-<(id)}", 1, "process substitution"),
        ('V=x\nA="${V%"<(id)"}"', 2, "inside of quotes"),
        ("V=x\nA=${V/x/&&}", 2, "replacement with &"),
        ("V=x\nA=${V%+(x)}", 2, "extended pattern"),
        ("V=x\nA=${V%[[:alpha:]]}", 2, "character class"),
        ("A=${B:1+1}", 1, "arithmetic"),
        ("A=${B:010}", 1, "arithmetic"),
    ],
)
def test_what_needs_a_shell_is_refused_with_its_line(text: str, line: int, construct: str) -> None:
    with pytest.raises(NeedsShell) as refusal:
        values(text)
    assert refusal.value.origin == "spec"
    assert refusal.value.line == line
    assert construct in refusal.value.construct
    assert refusal.value.brief.startswith(f"spec:{line}: ")
    assert refusal.value.resolution


@pytest.mark.parametrize(
    "text, line",
    [
        ("A='x\n", 1),
        ('A=1\nB="x\n', 2),
        ("A=(a b\n", 1),
        ("A=${B", 1),
        ("A=${B%x", 1),
        ('A="${B:-x', 1),
        ("A=b\\", 1),
        ("A=1\nB=\0", 2),
        ("V=abc\nA=${V:2:-2}", 2),
    ],
)
def test_what_is_no_shell_is_an_error_with_its_line(text: str, line: int) -> None:
    with pytest.raises(ShellSyntaxError, match=f"^spec:{line}: "):
        values(text)


@pytest.mark.parametrize(
    "text",
    [
        "A=aaaaaaaaaaaaaaaa\n" + "A=$A$A$A$A\n" * 40,
        "A=(x)\n" + 'A=("${A[@]}" "${A[@]}")\n' * 60,
        f"A={'a' * 30000}\nB=${{A%*a*a*a*a*b}}",
    ],
)
def test_a_small_file_cannot_make_much_work(text: str) -> None:
    with pytest.raises(BundleError, match="too large"):
        values(text)


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(NeedsShell, match="nested"):
        values("A=" + "${X:-" * 5000 + "}" * 5000)
