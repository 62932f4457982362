"""Tables, styles, and what is told how loud."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import termios

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.cli.output import (
    Output,
    Style,
    Verbosity,
    cell_width,
    paint,
    printable,
    printed,
    table,
    unstyled,
    wants_color,
)


def test_columns_are_aligned() -> None:
    rows = [("a", "10", "x"), ("long", "5", ""), ("s",)]
    assert table(rows, header=("NAME", "N", "REST"), right={1}) == (
        "NAME   N  REST\na     10  x\nlong   5\ns"
    )
    assert table([], header=("NAME",)) == ""


def _on_terminal(code: str, *, columns: int) -> list[str]:
    """What a program prints on a terminal of this width."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
    subprocess.run([sys.executable, "-c", code], stdout=theirs, env=environment, check=True)
    os.close(theirs)
    with os.fdopen(ours, "rb") as terminal:
        return terminal.read1().decode().replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize(
    "columns, lines",
    [
        (80, ["A  B", "x  one two three four five", "y  six"]),
        (20, ["A  B", "x  one two three", "   four five", "y  six"]),
        (18, ["A  B", "x", "    one two three", "    four five", "y  six"]),
        (4, ["A  B", "x", "    one two three", "    four five", "y", "    six"]),
    ],
)
def test_the_last_column_fits_a_terminal(columns: int, lines: list[str]) -> None:
    rows = [("x", "one two three four five"), ("y", "six")]
    code = f"from lapstrake.cli.output import table; print(table({rows}, header='AB'))"
    assert _on_terminal(code, columns=columns) == lines


def test_a_long_path_stays_one_word() -> None:
    path = "/far/far-away/where-paths-are-long"
    code = f"from lapstrake.cli.output import table; print(table([('x', 'it is {path}')]))"
    (whole,) = [line for line in _on_terminal(code, columns=24) if "far" in line]
    assert whole.strip() == path


def test_wide_characters_take_two_columns() -> None:
    assert table([("漢字", "x"), ("abcd", "y"), ("é", "z")]) == "漢字  x\nabcd  y\né     z"
    assert cell_width("e\u0301") == 1


CELL = st.text(alphabet="ab漢é ", max_size=6).map(str.strip)


@settings(deadline=None)
@given(st.lists(st.tuples(CELL, CELL, st.just("|")), min_size=1, max_size=8))
def test_columns_start_at_the_same_place(rows: list[tuple[str, str, str]]) -> None:
    lines = table(rows).split("\n")
    assert len(lines) == len(rows)
    assert len({cell_width(line) for line in lines}) == 1
    assert all(line.endswith("|") for line in lines)


@settings(deadline=None)
@given(st.text())
def test_printable_text_obeys_nothing(text: str) -> None:
    shown = printable(text)
    assert not [char for char in shown if ord(char) < 32 and char not in "\n\t"]
    assert "\x7f" not in shown
    assert printable(shown) == shown


@pytest.mark.parametrize("color", ["0", "1"])
def test_what_a_build_printed_keeps_its_colours_and_moves_no_cursor(
    color: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR" if color == "0" else "FORCE_COLOR", "1")
    monkeypatch.delenv("FORCE_COLOR" if color == "0" else "NO_COLOR", raising=False)
    said = printed("a\x1b[1;32mgreen\x1b[2J\x1b]0;title\x07\nb", io.StringIO())
    colored = "a\x1b[1;32mgreen\\x1b[2J\\x1b]0;title\\x07\nb\x1b[0m"
    assert said == (colored if color == "1" else unstyled(colored))


def test_styles_are_for_those_who_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not wants_color(stream)
    assert paint("x", Style.RED, stream=stream) == "x"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert paint("x", Style.BOLD, Style.RED, stream=stream) == "\x1b[1;31mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert paint("x", Style.RED, stream=stream) == "x"


@pytest.mark.parametrize(
    ("verbosity", "told"),
    [
        (Verbosity.QUIET, ["warning: w"]),
        (Verbosity.NORMAL, ["say", "warning: w", "busy"]),
        (Verbosity.VERBOSE, ["say", "detail", "warning: w", "busy", "more"]),
    ],
)
def test_verbosity(
    capsys: pytest.CaptureFixture[str], verbosity: Verbosity, told: list[str]
) -> None:
    output = Output(verbosity=verbosity)
    output.say("say")
    output.detail("detail")
    output.warn("w")
    output.result("result")
    with output.status("busy") as update:
        update("more")
    seen = capsys.readouterr()
    assert seen.out == "result\n"
    assert seen.err.splitlines() == told


def test_a_status_on_a_terminal_is_wiped_at_the_end() -> None:
    code = (
        "import time; from lapstrake.cli.output import Output\n"
        "with Output().status('busy') as update:\n    time.sleep(0.2)\n    update('more [bold]')\n"
        "    time.sleep(0.2)"
    )
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with os.fdopen(slave, "wb") as terminal:
        process = subprocess.Popen([sys.executable, "-c", code], stderr=terminal, env=environment)
    seen = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    assert process.wait(30) == 0
    assert b"busy" in seen
    assert b"more [bold]" in seen
    assert seen.rstrip().endswith(b"\x1b[2K")  # the line is erased (ECMA-48 EL)


def test_colours_take_no_room_in_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    red = paint("red", Style.RED, stream=sys.stdout)
    assert table([(red, "x"), ("plain", "y")]).splitlines() == [f"{red}    x", "plain  y"]


def test_a_task_fits_a_row_of_80_columns_and_its_reason_stands_beneath() -> None:
    code = """
import time
from lapstrake.cli.farm_rows import TASK_HEADER, task_row
from lapstrake.cli.output import table
from lapstrake.farm.values.tasks import Task, TaskSpec, TaskState
now = time.time()
task = Task(id=123456, spec=TaskSpec(name="a-name-" * 9, branch="stable", arch="riscv64"),
            state=TaskState.CANCELLED, reason="somebody did not want it any more",
            created=now - 3000, started=now - 800, finished=now, changed=now)
print(table([task_row(task)], header=TASK_HEADER, right={6}))
"""
    header, why, row, reason = _on_terminal(code, columns=80)
    assert max(len(header), len(row)) <= 80
    assert (why, reason) == ("    WHY", "    somebody did not want it any more")
