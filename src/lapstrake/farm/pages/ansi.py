"""Lines of logs as people see them: terminal colours become classes, control characters are named.

Colours and weight are kept (ECMA-48, "Select Graphic Rendition"), all that moves a cursor or sets
a title is dropped, and of what a carriage return overwrites, only the last is shown. Each line
begins plain, so that any line can be shown without those before it. ``static/ansi.js`` does the
same for lines that come while one looks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LONGEST = 4000
"""Letters of a line that are shown; the whole log has the rest."""

_SEQUENCE = re.compile(
    r"\x1b\[(?P<codes>[\d;:]*)m"  # colours
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # cursor and screen
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # titles, links
    r"|\x1b[ -/]*[0-~]"  # the rest
)
_CONTROL = {code: f"^{chr(code ^ 0x40)}" for code in (*range(9), *range(10, 32), 0x7F)}
_WEIGHTS = {1: "bold", 2: "dim", 3: "italic", 4: "underline"}
_ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",)}
_EXTENDED = (38, 48)


@dataclass(frozen=True, slots=True)
class Span:
    """Text that looks the same throughout.

    Attributes:
        text: what is shown.
        classes: names of its style, separated by blanks; empty for plain text.
    """

    text: str
    classes: str = ""


_CUT = Span(" … (cut: the whole log has the rest)", "dim")


def line_spans(line: str) -> tuple[Span, ...]:
    """What a line looks like.

    Args:
        line: one line, without its end.
    """
    shown = line.rstrip("\r").rpartition("\r")[2]
    spans = tuple(_spans(shown[:_LONGEST]))
    return (*spans, _CUT) if len(shown) > _LONGEST else spans


def plain(line: str) -> str:
    """The text of a line alone."""
    return "".join(span.text for span in line_spans(line))


def _spans(line: str) -> Iterator[Span]:
    style: dict[str, str] = {}
    start = 0
    for found in _SEQUENCE.finditer(line):
        yield from _span(line[start : found.start()], style)
        start = found.end()
        if found["codes"] is not None:
            _apply(style, found["codes"])
    yield from _span(line[start:], style)


def _span(text: str, style: dict[str, str]) -> Iterator[Span]:
    if text:
        yield Span(text.translate(_CONTROL), " ".join(style.values()))


def _apply(style: dict[str, str], codes: str) -> None:
    """Change a style: keys are what excludes each other, values the classes."""
    numbers = iter([int(code[:4] or 0) for code in codes.replace(":", ";").split(";")])
    for number in numbers:
        if number == 0:
            style.clear()
        elif number in _WEIGHTS:
            style[_WEIGHTS[number]] = _WEIGHTS[number]
        elif number in _ENDS:
            for weight in _ENDS[number]:
                style.pop(weight, None)
        elif number in _EXTENDED:  # palette or true colours: more than our classes have
            for _ in range(1 if next(numbers, 0) == 5 else 3):
                next(numbers, 0)
        else:
            _apply_colour(style, number)


def _apply_colour(style: dict[str, str], number: int) -> None:
    for first, place in ((30, "fg"), (90, "fg"), (40, "bg"), (100, "bg")):
        if first <= number < first + 8:
            style[place] = f"{place}-{number - first}"
    if number in {39, 49}:
        style.pop("fg" if number == 39 else "bg", None)
