"""Words of the shell: quotes and parameter expansion, evaluated while they are read.

bash(1), sections QUOTING and "Parameter Expansion". There is no tilde expansion: a ``~`` in a
pattern or a replacement means itself (``${VER/-/~}`` is how versions are written, and bash putting
the home folder there is never meant); elsewhere a ``~`` that bash would expand is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

from lapstrake.formats.shell_replace import replace, trim
from lapstrake.formats.shell_text import MAX_NESTING, Text

Value: TypeAlias = str | tuple[str, ...]
"""A variable's value: text, or an array's elements."""

METACHARACTERS = frozenset(" \t\n;&|<>()")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[^ \t\n;&|<>()'\"$`\\{}/]+")
_PLAIN_QUOTED = re.compile(r"[^\"$`\\]+")
_PLAIN_DEFAULT = re.compile(r"[^\"'$`\\{}]+")
_SUBSCRIPT = re.compile(r"\[(@|\*|0|[1-9][0-9]{0,5})\]")
_SLICE = re.compile(r":[ \t]*(-?[0-9]{0,9})[ \t]*(?:(:)[ \t]*(-?[0-9]{0,9})[ \t]*)?\}")
_TILDE = re.compile(r"(?:^|:)~")
_NAME_GOES_ON = re.compile(r"\\\n[A-Za-z0-9_\[{(\\]")

_OWN_NAMES = """
_ IFS PATH PWD OLDPWD HOME USER LOGNAME LANG TERM TMPDIR CDPATH ENV UID EUID PPID RANDOM SRANDOM
SECONDS LINENO LINES COLUMNS REPLY COPROC DIRSTACK EXECIGNORE FCEDIT FIGNORE GLOBIGNORE GROUPS
IGNOREEOF INPUTRC INSIDE_EMACS MACHTYPE MAPFILE OSTYPE PIPESTATUS POSIXLY_CORRECT CHILD_MAX
PS0 PS1 PS2 PS3 PS4 TIMEFORMAT TMOUT auto_resume histchars
"""
_OWN = frozenset(_OWN_NAMES.split())
_OWN_PREFIXES = (
    "BASH", "COMP_", "COMPREPLY", "EPOCH", "FUNC", "HIST", "HOST", "LC_", "MAIL", "OPT", "PROMPT_",
    "READLINE_", "SHELL", "SHLVL",
)  # fmt: skip


_PIECE_WORK = 100
"""What a piece of a word costs besides its characters: arrays may double, too."""


class Kind(Enum):
    """Where a piece of a word comes from, which decides what may still happen to it."""

    LITERAL = auto()
    QUOTED = auto()
    EXPANDED = auto()  # not quoted: split at blanks in an array
    BREAK = auto()  # between two elements of ${A[@]}


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a word, after expansion."""

    text: str
    kind: Kind


_BREAK = Piece(" ", Kind.BREAK)


def is_shells_own(name: str) -> bool:
    """Whether the shell itself sets the variable, or behaves differently when it is set."""
    return name in _OWN or name.startswith(_OWN_PREFIXES)


class Words:
    """Reads words from a text.

    Args:
        text: the text, read from its current place on.
        variables: the variables as they are now; looked at again for every expansion.
    """

    def __init__(self, text: Text, variables: Mapping[str, Value]) -> None:
        self.text = text
        self.variables = variables
        self._depth = 0

    def word(self) -> list[Piece]:
        """Read one word, up to a blank, a line's end or another metacharacter.

        Raises:
            NeedsShell: it holds something that only a shell can evaluate.
            ShellSyntaxError: a quote or a brace has no end.
        """
        return self._unquoted(METACHARACTERS)

    def _unquoted(self, stops: frozenset[str]) -> list[Piece]:
        """Read unquoted text up to one of `stops`; inside of braces when ``}`` is one of them."""
        text, found = self.text, list[Piece]()
        braces = "}" in stops
        while (character := text.peek()) and character not in stops:
            match character:
                case "\\":
                    found += self._escaped()
                case "'":
                    found.append(self._single_quoted())
                case '"':
                    found += self._double_quoted()
                case "$":
                    found += self._dollar(quoted=False)
                case "`":
                    raise text.refuse("a command substitution (`...`)")
                case "<" | ">" if text.peek(1) == "(":
                    raise text.refuse(f"a process substitution ({character}(...))")
                case "{" if braces:
                    raise text.refuse("a brace inside of an expansion")
                case _:
                    plain = _PLAIN.match(text.text, text.position)
                    run = plain.group() if plain else character
                    text.position += len(run)
                    _append_literal(found, run)
        return found

    def _escaped(self) -> list[Piece]:
        text = self.text
        following = text.peek(1)
        if not following:
            raise text.wrong("a backslash at the end of the file")
        text.position += 2
        return [] if following == "\n" else [Piece(following, Kind.QUOTED)]

    def _single_quoted(self) -> Piece:
        text = self.text
        end = text.text.find("'", text.position + 1)
        if end < 0:
            raise text.wrong("a single quote (') without an end")
        content = text.text[text.position + 1 : end]
        text.position = end + 1
        return Piece(content, Kind.QUOTED)

    def _double_quoted(self) -> list[Piece]:
        text, start = self.text, self.text.position
        text.position += 1
        found = list[Piece]()
        while (character := text.peek()) != '"':
            if not character:
                raise text.wrong('a double quote (") without an end', at=start)
            if character == "$":
                found += self._dollar(quoted=True)
            elif character == "`":
                raise text.refuse("a command substitution (`...`)")
            elif character == "\\":
                found.append(self._escaped_in_quotes())
            else:
                plain = _PLAIN_QUOTED.match(text.text, text.position)
                assert plain is not None  # noqa: S101 - the four other characters are handled
                text.position = plain.end()
                found.append(Piece(plain.group(), Kind.QUOTED))
        text.position += 1
        whole = text.text[start : text.position]
        if "[@]" in whole and not any(piece.text for piece in found):
            # Only "${A[@]}" alone makes no word of an empty array; the rest is too subtle to guess.
            if re.fullmatch(r'"\$\{\w+\[@\]\}"', whole) is None:
                raise text.refuse("an empty array among other text in quotes", at=start)
            return found
        return found or [Piece("", Kind.QUOTED)]

    def _escaped_in_quotes(self) -> Piece:
        text = self.text
        following = text.peek(1)
        if not following:
            raise text.wrong("a backslash at the end of the file")
        text.position += 2
        if following == "\n":
            return Piece("", Kind.QUOTED)
        return Piece(following if following in '$`"\\' else "\\" + following, Kind.QUOTED)

    def _dollar(self, *, quoted: bool) -> list[Piece]:
        """Read what a ``$`` begins."""
        text = self.text
        following = text.peek(1)
        if following == "{":
            return self._nested_braces(quoted=quoted)
        name = _NAME.match(text.text, text.position + 1)
        if name is not None:
            start, text.position = text.position, name.end()
            if _NAME_GOES_ON.match(text.text, text.position):
                raise text.refuse("a name that goes on in the next line", at=start)
            return [self._result(_scalar(self.value(name.group())), quoted=quoted)]
        if following == "(":
            arithmetic = text.peek(2) == "("
            raise text.refuse(
                "arithmetic ($((...)))" if arithmetic else "a command substitution ($(...))"
            )
        if following == "[":
            raise text.refuse("arithmetic ($[...])")
        if following and following in "0123456789@*#?$!-":
            raise text.refuse(f"the special parameter ${following}")
        if following == "\\" and text.peek(2) == "\n":
            raise text.refuse("a $ at the end of a line that goes on")
        if following and following in "'\"" and not quoted:
            raise text.refuse(f"the quoting ${following}...{following}")
        text.position += 1
        return [Piece("$", Kind.QUOTED if quoted else Kind.LITERAL)]

    def _nested_braces(self, *, quoted: bool) -> list[Piece]:
        self._depth += 1
        if self._depth > MAX_NESTING:
            raise self.text.refuse("an expansion nested this deep")
        try:
            return self._braces(quoted=quoted)
        finally:
            self._depth -= 1

    def _braces(self, *, quoted: bool) -> list[Piece]:
        """Read ``${...}``."""
        text, start = self.text, self.text.position
        name = _NAME.match(text.text, text.position + 2)
        if name is None:
            raise text.refuse(f"the expansion ${{{text.peek(2)}...}}")
        text.position = name.end()
        value = self.value(name.group())
        operator = text.peek()
        if operator == "[":
            return self._elements(value, quoted=quoted)
        scalar = _scalar(value)
        match operator:
            case "}":
                text.position += 1
            case "%" | "#":
                scalar = self._trim(scalar, quoted=quoted)
            case "/":
                replaced = self._replace(scalar, quoted=quoted)
                scalar = "" if value is None or value == () else replaced
            case "-" | "+":
                return self._default(value, quoted=quoted)
            case ":" if text.peek(1) in ("-", "+"):
                return self._default(value, quoted=quoted)
            case ":" if text.peek(1) not in ("=", "?"):
                scalar = self._slice(scalar)
            case "":
                raise text.wrong("an expansion (${...}) without an end", at=start)
            case _:
                operator += text.peek(1) if operator == ":" else ""
                raise text.refuse(f"the expansion ${{{name.group()}{operator}...}}", at=start)
        return [self._result(scalar, quoted=quoted)]

    def value(self, name: str) -> Value | None:
        """Look a variable up.

        Raises:
            NeedsShell: the shell itself would set it.
        """
        value = self.variables.get(name)
        if value is None and is_shells_own(name):
            raise self.text.refuse(f"the shell's own variable {name}")
        return value

    def _result(self, value: str, *, quoted: bool) -> Piece:
        self.text.spend(len(value) + _PIECE_WORK)
        return Piece(value, Kind.QUOTED if quoted else Kind.EXPANDED)

    def _elements(self, value: Value | None, *, quoted: bool) -> list[Piece]:
        """Read ``[@]}``, ``[*]}`` or ``[2]}``."""
        text = self.text
        subscript = _SUBSCRIPT.match(text.text, text.position)
        if subscript is None or text.text[subscript.end() : subscript.end() + 1] != "}":
            raise text.refuse("this expansion of an array")
        text.position = subscript.end() + 1
        elements = () if value is None else (value,) if isinstance(value, str) else value
        index = subscript.group(1)
        if index.isdigit():
            picked = elements[int(index) : int(index) + 1]
            return [self._result("".join(picked), quoted=quoted)]
        if index == "*" and quoted:
            return [self._result(" ".join(elements), quoted=True)]
        found = list[Piece]()
        for element in elements:
            if found:
                found.append(_BREAK)
            found.append(self._result(element, quoted=quoted))
        return found

    def _slice(self, value: str) -> str:
        """Read ``:OFFSET:LENGTH}`` (characters), where both are plain decimal numbers."""
        text = self.text
        numbers = _SLICE.match(text.text, text.position)
        if numbers is None:
            raise text.refuse("arithmetic in a substring's bounds")
        offset_text, has_length, length_text = numbers.group(1, 2, 3)
        if not (offset_text or has_length) or any(
            re.match(r"-?0[0-9]|-\Z", bound or "") for bound in (offset_text, length_text)
        ):
            raise text.refuse("arithmetic in a substring's bounds")
        size, offset = len(value), int(offset_text or 0)
        start = offset if offset >= 0 else size + offset
        if start < 0 or start > size:
            text.position = numbers.end()
            return ""
        length = int(length_text or 0) if has_length else size
        end = start + length if length >= 0 else size + length
        if end < start:
            raise text.wrong("a substring that ends before it starts")
        text.position = numbers.end()
        return value[start:end]

    def _trim(self, value: str, *, quoted: bool) -> str:
        """Read ``%PATTERN}`` and its three sisters."""
        text = self.text
        operator = text.peek()
        text.position += 1
        if text.peek() == operator:
            text.position += 1
            operator *= 2
        pattern = self._pattern(frozenset("}"), quoted=quoted)
        self._close()
        return trim(value, operator, pattern, text)

    def _replace(self, value: str, *, quoted: bool) -> str:
        """Read ``/PATTERN/TEXT}``; ``//`` is everywhere, ``/#`` and ``/%`` at the ends."""
        text = self.text
        text.position += 1
        where = text.peek()
        if where and where in "/#%":
            text.position += 1
        else:
            where = ""
        if text.peek() == "/" and where != "#" and where != "%":
            raise text.refuse("a pattern that begins with /")
        before = text.position
        pattern = self._pattern(frozenset("/}"), quoted=quoted)
        if not where and pattern and text.text[before] == "$" and pattern[0][0] in "/#%":
            raise text.refuse("a pattern whose anchor comes from a variable", at=before)
        replacement = ""
        if text.peek() == "/":
            text.position += 1
            replacement = self._replacement(quoted=quoted)
        self._close()
        return replace(value, where, pattern, replacement, text)

    def _pattern(self, stops: frozenset[str], *, quoted: bool) -> list[tuple[str, bool]]:
        """Read a pattern: its characters, and whether each was quoted."""
        text, start = self.text, self.text.position
        pieces = self._unquoted(stops)
        written = text.text[start : text.position]
        if quoted and ('"' in written or "\\\\" in written):
            # bash reads quotes in quotes in its own way: it even runs commands from there.
            raise text.refuse("a pattern with quotes or backslashes inside of quotes", at=start)
        found = list[tuple[str, bool]]()
        for piece in pieces:
            if piece.kind is Kind.EXPANDED and "\\" in piece.text:
                raise text.refuse("a pattern with a backslash from a variable", at=start)
            found += [(character, piece.kind is Kind.QUOTED) for character in piece.text]
        return found

    def _replacement(self, *, quoted: bool) -> str:
        text, start = self.text, self.text.position
        pieces = self._unquoted(frozenset("}"))
        for piece in pieces:
            # What & means here depends on the version of bash and on its options.
            if "&" in piece.text and (quoted or piece.kind is not Kind.QUOTED):
                raise text.refuse("a replacement with &", at=start)
            if "\\" in piece.text:
                raise text.refuse("a replacement with a backslash", at=start)
        if quoted and '"' in text.text[start : text.position]:
            raise text.refuse("quotes inside of an expansion in quotes", at=start)
        return "".join(piece.text for piece in pieces)

    def _default(self, value: Value | None, *, quoted: bool) -> list[Piece]:
        """Read ``:-WORD}`` and its sisters."""
        text, start = self.text, self.text.position
        present = value is not None and value != ()
        if text.peek() == ":":
            text.position += 1
            present = present and _scalar(value) != ""
        alternative = text.peek() == "+"
        text.position += 1
        word = self._default_in_quotes() if quoted else self._default_word(start)
        self._close()
        if present is alternative:
            return word
        return [self._result("" if alternative else _scalar(value), quoted=quoted)]

    def _default_word(self, start: int) -> list[Piece]:
        pieces = self._unquoted(frozenset("}"))
        if any(piece.kind is Kind.LITERAL and _TILDE.search(piece.text) for piece in pieces):
            raise self.text.refuse("a ~ that stands for a home folder", at=start)
        return [
            Piece(piece.text, Kind.EXPANDED) if piece.kind is Kind.LITERAL else piece
            for piece in pieces
        ]

    def _default_in_quotes(self) -> list[Piece]:
        text, found = self.text, list[Piece]()
        while text.peek() != "}":
            plain = _PLAIN_DEFAULT.match(text.text, text.position)
            if plain is not None:
                text.position = plain.end()
                found.append(Piece(plain.group(), Kind.QUOTED))
            elif text.peek() == "$":
                found += self._dollar(quoted=True)
            elif text.peek() == "":
                raise text.wrong("an expansion (${...}) without an end")
            else:
                raise text.refuse("quotes inside of an expansion in quotes")
        return found or [Piece("", Kind.QUOTED)]

    def _close(self) -> None:
        if self.text.peek() != "}":
            raise self.text.wrong("an expansion (${...}) without an end")
        self.text.position += 1


def _append_literal(pieces: list[Piece], run: str) -> None:
    """Add literal text, joined to what stands before it."""
    if pieces and pieces[-1].kind is Kind.LITERAL:
        pieces[-1] = Piece(pieces[-1].text + run, Kind.LITERAL)
    else:
        pieces.append(Piece(run, Kind.LITERAL))


def _scalar(value: Value | None) -> str:
    """What ``$NAME`` gives: of an array the first element."""
    if isinstance(value, tuple):
        return value[0] if value else ""
    return value or ""


def as_text(pieces: list[Piece], text: Text) -> str:
    """Make an assignment's value of a word: it is not split, and no file names are looked up.

    Raises:
        NeedsShell: bash would put a home folder for a ``~`` in it.
    """
    for index, piece in enumerate(pieces):
        if piece.kind is Kind.LITERAL and "~" in piece.text:
            begins = index == 0 and piece.text.startswith("~")
            if begins or ":~" in piece.text:
                raise text.refuse("a ~ that stands for a home folder")
    return "".join(piece.text for piece in pieces)


def as_fields(pieces: list[Piece], text: Text) -> list[str]:
    """Make array elements of a word: what is not quoted is split at blanks.

    Raises:
        NeedsShell: bash would look up file names, or expand braces or a ``~``.
    """
    fields = list[str]()
    current: str | None = None
    for index, piece in enumerate(pieces):
        if piece.kind in (Kind.LITERAL, Kind.EXPANDED):
            _refuse_file_names(piece, text, begins=index == 0)
        if piece.kind is Kind.BREAK:
            if current is not None:
                fields.append(current)
            current = None
        elif piece.kind is not Kind.EXPANDED:
            current = (current or "") + piece.text
        else:
            for part in re.findall(r"[ \t\n]+|[^ \t\n]+", piece.text):
                if part[0] not in " \t\n":
                    current = (current or "") + part
                elif current is not None:
                    fields.append(current)
                    current = None
    return fields if current is None else [*fields, current]


def _refuse_file_names(piece: Piece, text: Text, *, begins: bool) -> None:
    if any(character in piece.text for character in "*?["):
        raise text.refuse("a file name pattern outside of quotes in an array")
    if piece.kind is Kind.EXPANDED:
        if "(" in piece.text or "\\" in piece.text:
            raise text.refuse("a file name pattern outside of quotes in an array")
        return
    if "{" in piece.text:
        raise text.refuse("a brace outside of quotes in an array")
    if (begins and piece.text.startswith("~")) or re.search("[=:]~", piece.text):
        raise text.refuse("a ~ that stands for a home folder")
