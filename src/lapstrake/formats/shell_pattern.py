"""Shell patterns, as bash matches them (bash(1), "Pattern Matching").

A pattern is compiled to a tuple of nodes, and a match is the set of places where it may end. The
sets are bounded by the text's length, so no pattern takes exponential time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

_EXTENDED = frozenset("?*+@!")
_MANY = frozenset("*+")
_MAX_NESTING = 20


class PatternError(ValueError):
    """A pattern that means different things to different shells, or nothing at all."""


@dataclass(frozen=True, slots=True)
class _Literal:
    character: str


@dataclass(frozen=True, slots=True)
class _AnyCharacter:
    pass


@dataclass(frozen=True, slots=True)
class _AnyText:
    pass


@dataclass(frozen=True, slots=True)
class _OneOf:
    ranges: tuple[tuple[str, str], ...]
    negated: bool


@dataclass(frozen=True, slots=True)
class _Group:
    operator: str
    alternatives: tuple[Pattern, ...]


_Node: TypeAlias = _Literal | _AnyCharacter | _AnyText | _OneOf | _Group
Pattern: TypeAlias = tuple[_Node, ...]
"""A compiled pattern."""

Character: TypeAlias = tuple[str, bool]
"""One character of a pattern's text, and whether it was quoted: then it means itself."""


def characters(text: str) -> tuple[Character, ...]:
    r"""Split unquoted text into characters; a backslash quotes the next one."""
    found: list[Character] = []
    escaped = False
    for character in text:
        if not escaped and character == "\\":
            escaped = True
            continue
        found.append((character, escaped))
        escaped = False
    if escaped:
        found.append(("\\", True))
    return tuple(found)


def compile_pattern(text: Iterable[Character], *, extended: bool = False) -> Pattern:
    """Compile a pattern.

    Args:
        text: its characters, see `characters`.
        extended: whether ``!(a|b)`` and the like are groups, as after ``shopt -s extglob``.

    Raises:
        PatternError: it holds a group although `extended` is off, a group without an end, or a
            character class, whose meaning depends on the locale.
    """
    reader = _Reader(tuple(text), extended=extended)
    return reader.sequence(within_group=False)


def match_ends(pattern: Pattern, text: str, start: int = 0) -> frozenset[int]:
    """Find every place where a match that begins at `start` may end."""
    return _ends(pattern, text, frozenset({start}))


def matches(pattern: Pattern, text: str) -> bool:
    """Whether the pattern matches the whole text."""
    return len(text) in match_ends(pattern, text)


class _Reader:
    """Reads a pattern's characters from left to right."""

    def __init__(self, text: tuple[Character, ...], *, extended: bool) -> None:
        self.text = text
        self.position = 0
        self.extended = extended
        self._depth = 0

    def _active(self, offset: int = 0) -> str:
        """The unquoted character ahead, or nothing."""
        at = self.position + offset
        if at < len(self.text) and not self.text[at][1]:
            return self.text[at][0]
        return ""

    def sequence(self, *, within_group: bool) -> Pattern:
        nodes: list[_Node] = []
        while self.position < len(self.text):
            active = self._active()
            if within_group and active in ("|", ")"):
                break
            if active in _EXTENDED and self._active(1) == "(":
                nodes.append(self._group(active))
            elif active == "[":
                nodes.append(self._bracket())
            else:
                nodes.append(_single(active, self.text[self.position][0]))
                self.position += 1
        return tuple(nodes)

    def _group(self, operator: str) -> _Group:
        if not self.extended:
            raise PatternError(f"the extended pattern {operator}(...)")
        self._depth += 1
        if self._depth > _MAX_NESTING:
            raise PatternError("a pattern nested this deep")
        self.position += 2
        alternatives = [self.sequence(within_group=True)]
        while self._active() == "|":
            self.position += 1
            alternatives.append(self.sequence(within_group=True))
        if self._active() != ")":
            raise PatternError(f"the group {operator}(... without an end")
        self.position += 1
        self._depth -= 1
        return _Group(operator, tuple(alternatives))

    def _bracket(self) -> _Node:
        """Read ``[a-z]`` or ``[!a-z]``; a bracket that is never closed means itself."""
        start = self.position
        self.position += 1
        negated = self._active() in ("!", "^")
        self.position += negated
        ranges: list[tuple[str, str]] = []
        while self.position < len(self.text) and (not ranges or self._active() != "]"):
            if self._active() == "[" and self._active(1) in (":", ".", "="):
                raise PatternError("a character class, which depends on the locale,")
            if self._active() == "/" or self._active() == "[":
                raise PatternError(f"a bracket expression with {self._active()}")
            ranges.append(self._range())
        if self._active() != "]":
            self.position = start + 1
            return _Literal("[")
        self.position += 1
        return _OneOf(tuple(ranges), negated)

    def _range(self) -> tuple[str, str]:
        low = self.text[self.position][0]
        if self._active(1) == "-" and self.position + 2 < len(self.text):
            if self._active(2) == "]":
                self.position += 1
                return low, low
            high = self.text[self.position + 2][0]
            self.position += 3
            return low, high
        self.position += 1
        return low, low


def _single(active: str, character: str) -> _Node:
    if active == "*":
        return _AnyText()
    if active == "?":
        return _AnyCharacter()
    return _Literal(character)


def _ends(pattern: Pattern, text: str, starts: frozenset[int]) -> frozenset[int]:
    for node in pattern:
        if not starts:
            break
        starts = _step(node, text, starts)
    return starts


def _step(node: _Node, text: str, starts: frozenset[int]) -> frozenset[int]:
    """Where matches of one node end that begin at any of `starts`."""
    match node:
        case _AnyText():
            return frozenset(range(min(starts), len(text) + 1))
        case _Group():
            return _group_ends(node, text, starts)
        case _Literal(character):
            return frozenset(at + 1 for at in starts if text[at : at + 1] == character)
        case _AnyCharacter():
            return frozenset(at + 1 for at in starts if at < len(text))
        case _OneOf(ranges, negated):
            return frozenset(
                at + 1
                for at in starts
                if at < len(text)
                and any(low <= text[at] <= high for low, high in ranges) is not negated
            )


def _group_ends(group: _Group, text: str, starts: frozenset[int]) -> frozenset[int]:
    if group.operator == "!":
        return frozenset(
            end
            for start in starts
            for end in frozenset(range(start, len(text) + 1)) - _one_ends(group, text, {start})
        )
    ends = _one_ends(group, text, starts)
    if group.operator in _MANY:
        reached = ends
        while fresh := _one_ends(group, text, reached) - ends:
            ends |= fresh
            reached = fresh
    return ends | starts if group.operator in "?*" else ends


def _one_ends(group: _Group, text: str, starts: Iterable[int]) -> frozenset[int]:
    """Where one of the alternatives ends, taken once."""
    begin = frozenset(starts)
    ends: frozenset[int] = frozenset()
    for alternative in group.alternatives:
        ends |= _ends(alternative, text, begin)
    return ends
