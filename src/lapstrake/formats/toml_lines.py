"""Where a key stands in a TOML file, for messages and for the lines of step scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

Location: TypeAlias = "Sequence[str | int]"
"""A path into the document: ``("source", 1, "sha256")``; counts are from 0."""

_HEADER = re.compile(r"\s*(\[\[?)([^\]]+)\]")
_KEY = re.compile(r"""\s*((?:[\w-]+|"[^"\n]*"|'[^'\n]*')(?:\s*\.\s*(?:[\w-]+|"[^"\n]*"))*)\s*=""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}]', re.DOTALL)


def line_of(text: str, location: Location) -> int:
    """Find the line of a key, or of the closest table or key around it; 1 when there is none."""
    wanted = tuple(location)
    best, depth = 1, 0
    for line, path in _keys(text):
        shared = _shared(path, wanted)
        # A key on the way there, or the first key of what is wanted: [[site]] is ("site", 0).
        if shared in (len(path), len(wanted)) and shared > depth:
            best, depth = line, shared
    return best


def _shared(path: Sequence[str | int], wanted: Sequence[str | int]) -> int:
    pairs = list(zip(path, wanted, strict=False))
    return next((n for n, (ours, theirs) in enumerate(pairs) if ours != theirs), len(pairs))


def _keys(text: str) -> Iterator[tuple[int, tuple[str | int, ...]]]:
    """Yield the line and path of each table header and each key that begins a line."""
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str, ...], int] = {}
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        line = lines[number]
        length = 1
        if header := _HEADER.match(line):
            names = _split(header[2])
            if header[1] == "[[":
                counts[names] = counts.get(names, -1) + 1
            table = _numbered(names, counts)
            yield number + 1, table
        elif key := _KEY.match(line):
            yield number + 1, table + _split(key[1])
            length = _value_lines(lines[number:], key.end())
        number += length


def _numbered(names: tuple[str, ...], counts: dict[tuple[str, ...], int]) -> tuple[str | int, ...]:
    path: list[str | int] = []
    for end, name in enumerate(names, start=1):
        path.append(name)
        if names[:end] in counts:
            path.append(counts[names[:end]])
    return tuple(path)


def _split(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _value_lines(lines: Sequence[str], start: int) -> int:
    """Count the lines of the value that starts in the first line: strings and arrays span some."""
    rest = "\n".join(lines)
    depth, position = 0, start
    newline = rest.find("\n", start)
    while token := _TOKEN.search(rest, position):
        if depth == 0 and 0 <= newline < token.start():
            break
        position = token.end()
        if token[0] in ('"""', "'''"):
            end = rest.find(token[0], position)
            while token[0] == '"""' and end > 0 and _is_escaped(rest, end):
                end = rest.find(token[0], end + 1)
            if end < 0:
                break  # tomllib has refused it before
            position = end + 3
            newline = rest.find("\n", position)
        elif token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
            newline = rest.find("\n", position)
    return rest.count("\n", 0, position) + 1


def _is_escaped(text: str, position: int) -> bool:
    before = text[:position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1
