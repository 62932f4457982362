"""Windows of lines, of files that grow."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.pages import lines
from lapstrake.farm.pages.lines import LineIndex, LineIndexes, search

_TEXTS = st.lists(st.text(alphabet="abü \r", max_size=12), max_size=40)


@given(before=_TEXTS, after=_TEXTS, first=st.integers(1, 90), count=st.integers(1, 50))
def test_a_window_is_a_slice_of_the_lines_however_the_file_grew(
    before: list[str], after: list[str], first: int, count: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        path.write_bytes("".join(f"{line}\n" for line in before).encode())
        index = LineIndex(path)
        assert list(index.window(1, 100, over=False).lines) == before
        with path.open("ab") as file:
            file.write("".join(f"{line}\n" for line in after).encode() + b"half")
        rows = [*before, *after]
        window = index.window(first, count, over=False)
        assert list(window.lines) == rows[first - 1 : first - 1 + count]
        assert window.total == len(rows)
        assert window.end == path.stat().st_size - len("half")
        assert list(index.window(-2, 5, over=True).lines) == [*rows, "half"][-2:]


def test_large_files_are_read_by_blocks(tmp_path: Path) -> None:
    path = tmp_path / "log"
    text = [f"line {number} {'x' * (number % 300)}" for number in range(1, 30_001)]
    path.write_text("\n".join(text) + "\n")
    assert path.stat().st_size > 10 * lines._BLOCK
    index = LineIndex(path)
    for first in (1, 2, 1700, 15_000, 29_990):
        window = index.window(first, 20, over=True)
        assert list(window.lines) == text[first - 1 : first + 19]
        assert (window.first, window.last, window.total) == (
            first,
            min(first + 19, 30_000),
            30_000,
        )


def test_a_line_without_an_end_is_shown_in_part(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"first\n" + b"x" * (3 * lines._BLOCK) + b"\nlast\n")
    window = LineIndex(path).window(1, 10, over=True)
    assert [len(line) for line in window.lines] == [5, lines._LONGEST, 4]


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"\xff\xfe ok\n")
    assert LineIndex(path).window(1, 1, over=True).lines == ("\ufffd\ufffd ok",)


def test_searching_finds_each_line_once_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "log"
    rows = [f"this is row {number}" for number in range(1, 200_001)]
    rows[4], rows[150_000], rows[-1] = "Nee.dle nee.DLE", "a nee.dle", "the last nee.dle"
    path.write_text("\n".join(rows))
    assert path.stat().st_size > 2 * lines._SEARCH_BLOCK
    found = search(path, "NEE.dle", most=10)
    assert [line for line, _ in found.lines] == [5, 150_001, 200_000]
    assert found.lines[2][1] == "the last nee.dle"
    assert found.whole
    assert search(path, "neeXdle", most=10).lines == ()


def test_searching_stops_at_the_most(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("same\n" * 50)
    found = search(path, "same", most=7)
    assert len(found.lines) == 7
    assert not found.whole


def test_only_some_indexes_are_kept(tmp_path: Path) -> None:
    indexes = LineIndexes()
    first = indexes.of(tmp_path / "0")
    assert indexes.of(tmp_path / "0") is first
    for number in range(1, 70):
        indexes.of(tmp_path / str(number))
    assert indexes.of(tmp_path / "0") is not first
