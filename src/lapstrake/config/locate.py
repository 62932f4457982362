"""Which line of a TOML file says what.

tomllib tells no lines. A file is a sequence of statements (a header, or a key and its value), and
the lines of one statement are the fewest lines that tomllib accepts on their own; so tomllib itself
cuts the file, and no second grammar is needed.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys from the top; a number counts the tables of an array of tables, from 0."""

_ERROR_LINE = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)\Z")


def locate(text: str) -> dict[KeyPath, int]:
    """Find the line, from 1, of every key of a valid TOML file.

    A key inside an inline table has the line where the statement starts.
    """
    lines: dict[KeyPath, int] = {}
    header: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    for number, is_header, statement in _statements(text):
        if not is_header:
            for path in _paths(statement):
                lines.setdefault(header + path, number)
            continue
        *_, path = _paths(statement)
        header = _numbered(tuple(key for key in path if isinstance(key, str)), counts)
        if 0 in path:  # [[name]]: one more table of that name
            counts[header] = counts.get(header, -1) + 1
            header = (*header, counts[header])
        lines.setdefault(header, number)
    return lines


def syntax_error(error: ValueError, text: str) -> tuple[int, str]:
    """The line and the message of what tomllib says is wrong with a text."""
    found = _ERROR_LINE.search(str(error))
    if found is None:
        return 1, str(error)
    line = int(found.group(1) or 0) or text.rstrip("\n").count("\n") + 1
    return line, _ERROR_LINE.sub("", str(error))


def _statements(text: str) -> Iterator[tuple[int, bool, Mapping[str, object]]]:
    """Cut a file: the line each statement starts at, whether it is a header, what it says."""
    start, pending = 0, ""
    for number, line in enumerate(text.split("\n"), 1):  # TOML knows no other line ends
        start = start if pending else number
        pending += line + "\n"
        try:
            said = tomllib.loads(pending)
        except tomllib.TOMLDecodeError:
            continue  # goes on in the next line
        if said:
            yield start, pending.lstrip().startswith("["), said
        pending = ""


def _paths(value: object) -> Iterator[KeyPath]:
    """The paths of all keys within what tomllib gave, outer ones first."""
    items: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, dict):
        items = iter(value.items())
    elif isinstance(value, list):
        items = ((index, item) for index, item in enumerate(value) if isinstance(item, dict))
    for key, inner in items:
        yield (key,)
        for path in _paths(inner):
            yield (key, *path)


def _numbered(keys: tuple[str, ...], counts: Mapping[KeyPath, int]) -> KeyPath:
    """Put the number of the current table behind each outer key that is an array of tables."""
    path: KeyPath = ()
    for position, key in enumerate(keys):
        path = (*path, key)
        if path in counts and position < len(keys) - 1:
            path = (*path, counts[path])
    return path
