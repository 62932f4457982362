from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import BundleError, LapstrakeError
from lapstrake.formats.shell import Value
from lapstrake.formats.shell_dump import parse, said, script
from lapstrake.host import process


def evaluate(path: Path, text: str, **variables: Value) -> dict[str, Value]:
    file = path / "defines"
    file.write_text(text)
    done = process.run(
        ["env", "-i", "PATH=/usr/bin:/bin", "bash", "-c", script(variables), "bash", file],
        timeout=60,
        error=LapstrakeError,
    )
    return dict(parse(done.stdout, variables=variables, origin="defines"))


def test_what_only_a_shell_can_do(tmp_path: Path) -> None:
    text = """
echo "noise on standard output"
A=$(printf '%s\\n' one two)
build() { B=1; }
if [[ $ARCH == amd64 ]]; then LIST+=("c d"); fi
export C="$PKGVER"
EMPTY=() NOTHING=
"""
    found = evaluate(tmp_path, text, ARCH="amd64", LIST=("a'b", ""), PKGVER="1 $x", SAME="y")
    assert found == {
        "A": "one\ntwo", "LIST": ("a'b", "", "c d"), "C": "1 $x", "EMPTY": (), "NOTHING": "",
    }  # fmt: skip


def test_a_failing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LapstrakeError, match="status 3"):
        evaluate(tmp_path, "A=1\nexit 3\n")


BEGIN = b"\0variables\0"
whole = BEGIN + b"A\0text\x001\0a\0B\0array\x001\0b\0."


def test_whole_output() -> None:
    assert parse(whole, variables={"A": "a"}, origin="defines") == {"B": ("b",)}


@pytest.mark.parametrize(
    "output",
    [
        *(whole[:size] for size in range(len(whole))),
        *(BEGIN + rest for rest in (b"A\0text\0x\0", b"A\0text\x000\0.", b"\xff")),
    ],
)
def test_output_that_is_not_whole_is_refused(output: bytes) -> None:
    with pytest.raises(BundleError, match=r"^defines: "):
        parse(output, variables={}, origin="defines")


def test_what_bash_said_is_no_part_of_the_first_variable(tmp_path: Path) -> None:
    file = tmp_path / "spec"
    file.write_text("echo first\nVER=$(no-such-program)\nREL=1\n")
    done = process.run(
        ["env", "-i", "PATH=/usr/bin:/bin", "bash", "-c", f"exec 2>&1\n{script({})}", "bash", file],
        timeout=60,
        error=LapstrakeError,
    )
    assert parse(done.stdout, variables={}, origin="spec") == {"VER": "", "REL": "1"}
    first, second = said(done.stdout).decode().splitlines()
    assert first == "first"
    assert second == f"{file}: line 2: no-such-program: command not found"


@given(st.binary(max_size=40))
def test_any_output_is_read_or_refused(output: bytes) -> None:
    brief = "defines: "
    try:
        parse(BEGIN + output, variables={}, origin="defines")
    except BundleError as refusal:
        brief = refusal.brief
    assert brief.startswith("defines: ")
