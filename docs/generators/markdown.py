"""Markdown that all generated pages have."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable

NOTE = "<!-- Written by docs/generate.py: change the code it reads, then run ./dev docs. -->\n"
"""The first line of each: whoever opens it to change it should change something else."""


def flat(text: str) -> str:
    """A text as one line, with Markdown's marks of code."""
    return " ".join(text.replace("``", "`").split())


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    titles = list(header)
    lines = [_row(titles), "|" + "---|" * len(titles), *(_row(cells) for cells in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(flat(cell).replace("|", "\\|") for cell in cells) + " |"


def toml_text(value: object) -> str:
    """A value as TOML writes it."""
    return json.dumps(value, ensure_ascii=False)


def one_line(kind: type) -> str:
    """The first paragraph of a class's docstring, on one line."""
    return (inspect.getdoc(kind) or "").splitlines()[0]
