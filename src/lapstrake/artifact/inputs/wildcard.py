r"""Names with wildcards, read as Nerves' packages mean them (Erlang/OTP, filelib:wildcard/1).

``*`` any characters, ``?`` one, ``[a-c_]`` one of these (nothing negates), ``{a,b}`` one of these,
``**`` as a whole part any folders, ``\`` takes the next character as it is. Names that begin with
a dot are found only where the pattern names them without any wildcard before.
"""

# ruff: noqa: PTH112, PTH116
# A package may have many files, and paths as texts are quick.
from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence

_SPECIAL = frozenset("*?[{\\")
_MOST = 1_000_000
"""Names one pattern may lead to; links between folders can multiply them without end."""

_Part = str | re.Pattern[str] | None
"""A name, a pattern of names, or ``None``: any number of folders."""


def expand(top: str, pattern: str) -> list[str]:
    """Find what a pattern stands for, sorted by the whole path.

    Args:
        top: the folder; its own name is taken literally.
        pattern: relative to it; a leading ``/`` means the same folder.

    Returns:
        paths relative to the folder: files, folders and links.

    Raises:
        ValueError: the pattern is malformed, or leads to more than a million names.
        OSError: a folder cannot be read.
    """
    words = [word for word in pattern.split("/") if word]
    literal = 0
    while literal < len(words) and not _SPECIAL.intersection(words[literal].replace("\\", "")):
        literal += 1
    start = "/".join(_unescaped(word) for word in words[:literal]) or "."
    if not os.path.lexists(f"{top}/{start}"):
        return []
    parts = [_compiled(word) for word in words[literal:]]
    return sorted(_Walk(top).match(start, parts)) if parts else [start]


def below(top: str, folder: str) -> list[str]:
    """All that is in a folder, sorted by the whole path; nothing whose name begins with a dot.

    Links are followed, but not back into a folder that leads to them.

    Args:
        top: the folder that paths are relative to.
        folder: relative to it.

    Returns:
        the regular files.

    Raises: as `expand`.
    """
    return sorted(_Walk(top).files(folder))


class _Walk:
    """Looks through the folders below one."""

    def __init__(self, top: str) -> None:
        self._top = top
        self._left = _MOST

    def match(self, folder: str, parts: Sequence[_Part]) -> Iterator[str]:
        """What some parts of a pattern stand for in a folder."""
        if not parts:
            yield folder
            return
        part, rest = parts[0], parts[1:]
        if part == "..":
            if os.path.isdir(f"{self._top}/{folder}"):
                yield from self.match(f"{folder}/..", rest)
        elif part is None:
            yield from self._any_folders(folder, rest)
        else:
            test = part.fullmatch if isinstance(part, re.Pattern) else part.__eq__
            for entry in self._list(folder, test):
                yield from self.match(_joined(folder, entry.name), rest)

    def files(self, folder: str) -> Iterator[str]:
        """The regular files below a folder."""
        waiting = [folder]
        while waiting:
            here = waiting.pop()
            for entry in self._list(here):
                if _is(entry.is_file):
                    yield _joined(here, entry.name)
                elif self._leads_down(here, entry):
                    waiting.append(_joined(here, entry.name))

    def _any_folders(self, folder: str, rest: Sequence[_Part]) -> Iterator[str]:
        if rest:
            yield from self.match(folder, rest)
        for entry in self._list(folder):
            path = _joined(folder, entry.name)
            if not rest:
                yield path
            if self._leads_down(folder, entry):
                yield from self._any_folders(path, rest)

    def _list(
        self, folder: str, test: Callable[[str], object] = bool
    ) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(f"{self._top}/{folder}") as entries:
                found = [entry for entry in entries if entry.name[0] != "." and test(entry.name)]
        except (NotADirectoryError, FileNotFoundError):
            return
        self._left -= len(found)
        if self._left < 0:
            raise ValueError(f"more than {_MOST} names")
        yield from found

    def _leads_down(self, folder: str, entry: os.DirEntry[str]) -> bool:
        """Whether it is a folder, and no link back to one that we came through."""
        if not _is(entry.is_dir):
            return False
        if not entry.is_symlink():
            return True
        there = entry.stat()
        words = folder.split("/")
        above = ("/".join(words[:end]) for end in range(len(words), 0, -1))
        return not any(
            os.path.samestat(os.stat(f"{self._top}/{path}"), there) for path in (*above, ".")
        )


def _is(test: Callable[[], bool]) -> bool:
    try:
        return test()
    except OSError:  # a link to itself
        return False


def _joined(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"


def _unescaped(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word)


def _compiled(word: str) -> _Part:
    if word == "**":
        return None
    if not _SPECIAL.intersection(word):
        return word
    return re.compile(_expression(word), re.DOTALL)


def _expression(word: str, *, inner: bool = False) -> str:
    """One part as a regular expression.

    Args:
        word: the part, or one of the alternatives in it.
        inner: whether it is an alternative, which cannot have alternatives again.
    """
    out, place = [], 0
    while place < len(word):
        char, after = word[place], place + 1
        if char == "\\" and after < len(word):
            out.append(re.escape(word[after]))
            after += 1
        elif char == "*":
            out.append(".*")
        elif char == "?":
            out.append(".")
        elif char == "[" and (end := word.find("]", place + 2)) > 0:
            out.append(_characters(word[after:end]))
            after = end + 1
        elif char == "{":
            if inner:
                raise ValueError("braces within braces")
            choices, after = _choices(word, after)
            out.append(f"(?:{'|'.join(_expression(each, inner=True) for each in choices)})")
        else:
            out.append(re.escape(char))
        place = after
    return "".join(out)


def _characters(text: str) -> str:
    """A set: characters and ranges; a range that runs backwards is three characters."""
    out, place = [], 0
    while place < len(text):
        if text[place + 1 : place + 2] == "-" and text[place + 2 : place + 3] >= text[place]:
            out.append(f"{re.escape(text[place])}-{re.escape(text[place + 2])}")
            place += 3
        else:
            out.append(re.escape(text[place]))
            place += 1
    return f"[{''.join(out)}]"


def _choices(word: str, place: int) -> tuple[list[str], int]:
    """The alternatives behind an opening brace, and where the closing one ends."""
    found = re.compile(r"(?:\\.|[^\\}])*\}", re.DOTALL).match(word, place)
    if found is None:
        raise ValueError("a brace that nothing closes")
    return re.findall(r"(?:^|(?<=,))((?:\\.|[^\\,])*)(?:,|$)", found[0][:-1]), found.end()
