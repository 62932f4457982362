"""Taking parts of a value away, or replacing them (bash(1), "Parameter Expansion")."""

from __future__ import annotations

from collections.abc import Sequence

from lapstrake.formats.shell_pattern import (
    Character,
    Pattern,
    PatternError,
    compile_pattern,
    match_ends,
)
from lapstrake.formats.shell_text import Text


def trim(value: str, operator: str, pattern: Sequence[Character], text: Text) -> str:
    """Take away what a pattern matches at an end of a value.

    Args:
        value: the value.
        operator: ``#`` or ``%``: the shortest match at the start or end; doubled, the longest.
        pattern: the pattern's characters.
        text: where it stands, for messages.

    Raises:
        NeedsShell: the pattern means different things to different shells.
    """
    compiled = _compiled(value, pattern, text)
    if operator[0] == "#":
        ends = match_ends(compiled, value)
        if not ends:
            return value
        return value[max(ends) if len(operator) == 2 else min(ends) :]
    starts = range(len(value) + 1) if len(operator) == 2 else range(len(value), -1, -1)
    for start in starts:
        if len(value) in match_ends(compiled, value, start):
            return value[:start]
    return value


def replace(
    value: str, where: str, pattern: Sequence[Character], replacement: str, text: Text
) -> str:
    """Replace the longest match of a pattern.

    Args:
        value: the value.
        where: empty for the first match, ``/`` for all, ``#`` or ``%`` for one at the start or end.
        pattern: the pattern's characters; an empty one matches at ``#`` and ``%`` only.
        replacement: what is put there.
        text: where it stands, for messages.

    Raises:
        NeedsShell: the pattern means different things to different shells.
    """
    compiled = _compiled(value, pattern, text)
    if where == "#":
        ends = match_ends(compiled, value)
        return replacement + value[max(ends) :] if ends else value
    if where == "%":
        for start in range(len(value) + 1):
            if len(value) in match_ends(compiled, value, start):
                return value[:start] + replacement
        return value
    if not pattern:
        return value
    replaced = _replace_matches(value, compiled, replacement, everywhere=where == "/")
    text.spend(len(replaced))
    return replaced


def _replace_matches(value: str, pattern: Pattern, replacement: str, *, everywhere: bool) -> str:
    if not value:
        return replacement if match_ends(pattern, value) else value
    done = list[str]()
    at = 0
    while at < len(value):
        end = max(match_ends(pattern, value, at), default=at)
        if end == at:
            done.append(value[at])
            at += 1
            continue
        done.append(replacement)
        at = end
        if not everywhere:
            break
    return "".join(done) + value[at:]


def _compiled(value: str, pattern: Sequence[Character], text: Text) -> Pattern:
    """Compile a pattern, after counting the work that matching it everywhere may make."""
    open_ended = any(character == "*" and not quoted for character, quoted in pattern)
    text.spend((len(value) + 1) * (len(pattern) + 1) * (len(value) + 1 if open_ended else 1))
    try:
        return compile_pattern(pattern)
    except PatternError as problem:
        raise text.refuse(str(problem)) from problem
