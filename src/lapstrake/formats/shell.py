"""Read a file of shell assignments without running it.

AOSC's ``spec`` and ``defines`` are shell, and in practice nothing but assignments. This evaluates
that part of the language exactly as bash does, and refuses all the rest, naming file and line: text
that somebody else wrote is never run on the host.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lapstrake.formats.shell_text import NeedsShell, ShellSyntaxError, Text
from lapstrake.formats.shell_words import (
    METACHARACTERS,
    Value,
    Words,
    as_fields,
    as_text,
    is_shells_own,
)

__all__ = ["NeedsShell", "ShellSyntaxError", "Value", "evaluate"]

_GAP = re.compile(r"(?:[ \t]|\\\n)+")
_COMMENT = re.compile(r"#[^\n]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=|\[)")
_EXPORT = re.compile(r"export[ \t]+(?=[A-Za-z_][A-Za-z0-9_]*\+?=[^(])")
_COMMAND_END = re.compile(r"[ \t]*(?:[\n;]|\Z|[ \t]#)")
_FIRST_WORD = re.compile(r"[^ \t\n;&|<>]+")
_FUNCTION = re.compile(r"[^ \t\n;&|<>()=]+[ \t]*\([ \t]*\)")

_CONSTRUCTS = {
    "if": "a conditional (if)",
    "case": "a conditional (case)",
    "[": "a conditional ([)",
    "[[": "a conditional ([[)",
    "for": "a loop (for)",
    "while": "a loop (while)",
    "until": "a loop (until)",
    "select": "a loop (select)",
    "function": "a function",
    "alias": "an alias",
    ".": "another file being sourced",
    "source": "another file being sourced",
    "{": "a group of commands",
    "!": "a negated command",
}


def evaluate(text: str, *, variables: Mapping[str, Value], origin: str) -> Mapping[str, Value]:
    """Evaluate a file of assignments.

    Args:
        text: the file's content.
        variables: what is set beforehand.
        origin: the file's name, for messages.

    Returns:
        the variables that the file assigns, with their final values: text, or a tuple for an array.

    Raises:
        NeedsShell: it holds something else than assignments of plain words.
        ShellSyntaxError: no shell could read it.
        BundleError: evaluating it takes too much work.
    """
    return _Evaluator(Text(text, origin), variables).run()


class _Evaluator:
    def __init__(self, text: Text, variables: Mapping[str, Value]) -> None:
        self.text = text
        self.scope: dict[str, Value] = dict(variables)
        self.assigned: dict[str, Value] = {}
        self.words = Words(text, self.scope)

    def run(self) -> Mapping[str, Value]:
        text = self.text
        zero = text.text.find("\0")
        if zero >= 0:
            raise text.wrong("a zero byte", at=zero)
        command_before = False
        while True:
            self._skip_gap()
            character = text.peek()
            if character == "":
                return self.assigned
            if character == "\n" or (character == ";" and command_before):
                text.position += 1
                command_before = False
                continue
            export = _EXPORT.match(text.text, text.position)
            if export is not None and not command_before:
                self._export(export.end())
            else:
                self._assignment()
            command_before = True

    def _skip_gap(self) -> None:
        """Go past blanks, lines that go on, and a comment."""
        for pattern in (_GAP, _COMMENT):
            gap = pattern.match(self.text.text, self.text.position)
            if gap is not None:
                self.text.position = gap.end()

    def _export(self, assignment: int) -> None:
        """Read ``export NAME=WORD``; of several, all would be expanded before any is set."""
        start, self.text.position = self.text.position, assignment
        self._assignment()
        if _COMMAND_END.match(self.text.text, self.text.position) is None:
            raise self.text.refuse("export with more than one assignment", at=start)

    def _assignment(self) -> None:
        """Read ``NAME=VALUE`` and take it over."""
        text = self.text
        start = text.position
        assignment = _ASSIGNMENT.match(text.text, start)
        if assignment is None:
            raise text.refuse(self._construct())
        name, operator = assignment.groups()
        if operator == "[":
            raise text.refuse("the assignment of one element of an array")
        if is_shells_own(name):
            raise text.refuse(f"setting the shell's own variable {name}")
        text.position = assignment.end()
        append = operator == "+="
        value: Value
        if text.peek() == "(":
            value = self._array(name, append=append)
        else:
            value = self._scalar(name, append=append)
        following = text.peek()
        if (
            following
            and following not in " \t\n;"
            and not text.text.startswith("\\\n", text.position)
        ):
            raise text.refuse(f"{following} after an assignment")
        self.scope[name] = self.assigned[name] = value

    def _scalar(self, name: str, *, append: bool) -> Value:
        """Read a word; assigned to an array, it becomes the first element."""
        word = as_text(self.words.word(), self.text)
        before = self.scope.get(name, "")
        if isinstance(before, tuple):
            first = before[0] if before and append else ""
            return (first + word, *before[1:])
        value = before + word if append else word
        self.text.spend(len(value))
        return value

    def _array(self, name: str, *, append: bool) -> tuple[str, ...]:
        """Read ``(WORD ...)``."""
        text, start = self.text, self.text.position
        before = self.scope.get(name, ()) if append else ()
        elements = [before] if isinstance(before, str) else list(before)
        text.position += 1
        while True:
            self._skip_gap()
            character = text.peek()
            if character == "":
                raise text.wrong("an array without an end", at=start)
            if character == "\n":
                text.position += 1
            elif character == ")":
                text.position += 1
                text.spend(len(elements))
                return tuple(elements)
            elif character in METACHARACTERS:
                raise text.refuse(f"{character} inside of an array")
            else:
                elements += as_fields(self.words.word(), text)

    def _construct(self) -> str:
        """Name what stands here, since it is no assignment."""
        text = self.text
        if _FUNCTION.match(text.text, text.position):
            return "a function"
        first = _FIRST_WORD.match(text.text, text.position)
        if first is None:
            return f"the operator {text.peek()}"
        word = first.group()[:40]
        if word.startswith("("):
            return "a group of commands"
        return _CONSTRUCTS.get(word, f"the command {word}")
