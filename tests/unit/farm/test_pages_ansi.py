"""Lines of logs in pages: colours, control characters, lengths."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.pages.ansi import Span, line_spans, plain

_CONTROL = {chr(code) for code in (*range(9), *range(10, 32), 0x7F)}


def test_colours_become_classes() -> None:
    assert line_spans("\x1b[1;31merror\x1b[0m: \x1b[92;44mgreen\x1b[49m on \x1b[39;22mplain") == (
        Span("error", "bold fg-1"),
        Span(": "),
        Span("green", "fg-2 bg-4"),
        Span(" on ", "fg-2"),
        Span("plain"),
    )


def test_colours_that_classes_do_not_have_are_left_out() -> None:
    assert line_spans("\x1b[38;5;208mo\x1b[48;2;1;2;3;1mb") == (Span("o"), Span("b", "bold"))


def test_what_a_carriage_return_overwrites_is_not_shown() -> None:
    assert plain("  0%\r 50%\r100%\r") == "100%"


def test_cursor_titles_and_links_are_dropped() -> None:
    assert plain("\x1b[2K\x1b]0;a title\x07\x1b]8;;http://x\x1b\\link\x1b(B\x1b[3;4Hx") == "linkx"


def test_control_characters_are_named() -> None:
    assert plain("a\x00b\x07c\x7fd\te") == "a^@b^Gc^?d\te"


def test_long_lines_are_cut() -> None:
    spans = line_spans("x" * 5000)
    assert spans[0].text == "x" * 4000
    assert "the whole log has the rest" in spans[1].text


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    assert not _CONTROL & set(plain(text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cc"])))
def test_plain_text_is_what_it_is(text: str) -> None:
    assert plain(text) == text
