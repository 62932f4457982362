"""dpkg's own files, cut down to the packages that an image has; pure.

The formats: dpkg(1), dpkg-divert(1), dpkg-statoverride(1), deb-triggers(5), and that of
update-alternatives(1) as its source reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from lapstrake.compose.status import parse_status

Exists = Callable[[str], bool]
"""Says whether a path, with its slash in front, is there."""


def filter_status(text: str, names: Collection[str]) -> str:
    """Dpkg's list with these packages only (``NAME`` or ``NAME:ARCH``), sorted."""
    kept = {
        f"{stanza.name}:{stanza['architecture']}": stanza.text
        for stanza in parse_status(text)
        if stanza.name in names or f"{stanza.name}:{stanza['architecture']}" in names
    }
    return "".join(f"{kept[key]}\n\n" for key in sorted(kept))


def filter_diversions(text: str, names: Collection[str]) -> str:
    """Diversions, three lines each, of these packages and of the administrator (``:``)."""
    lines = text.splitlines()
    groups = [lines[number : number + 3] for number in range(0, len(lines) - 2, 3)]
    return _joined(
        line for group in groups if group[2] == ":" or group[2] in names for line in group
    )


def filter_overrides(text: str, exists: Exists) -> str:
    """Overridden owners and modes of what is there."""
    lines = text.splitlines()
    return _joined(line for line in lines if exists(line.split(" ", 3)[-1]))


def filter_file_triggers(text: str, names: Collection[str]) -> str:
    """``triggers/File``: a path and the package that is interested in it."""
    return _joined(
        line for line in text.splitlines() if _interested(line.rpartition(" ")[2]) in names
    )


def filter_triggers(text: str, names: Collection[str]) -> str:
    """``triggers/NAME``: the packages that are interested."""
    return _joined(line for line in text.splitlines() if _interested(line) in names)


def age_shadow(text: str, day: int) -> str:
    """``shadow`` with passwords all last changed on one day (shadow(5): since 1970)."""
    rows = [line.split(":") for line in text.splitlines()]
    return _joined(
        ":".join([*row[:2], str(day), *row[3:]] if row[2:3] > [""] else row) for row in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternatives:
    """A group of alternatives (update-alternatives(1)).

    Attributes:
        text: its file, without the choices that are not there.
        links: what the links in ``/etc/alternatives`` lead to, by their names there.
    """

    text: str
    links: dict[str, str] = field(default_factory=dict)


def filter_alternatives(name: str, text: str, chosen: str, exists: Exists) -> Alternatives | None:
    """Leave out the choices that are not there; the best of the rest is chosen if that one is not.

    Args:
        name: the group's.
        text: its file.
        chosen: what it leads to now.
        exists: see `Exists`.

    Returns:
        ``None`` when no choice is left, or the file is not understood.
    """
    lines = text.split("\n")
    try:
        mode, link, *rest = lines
        end = rest.index("")
        others = [(rest[number], rest[number + 1]) for number in range(0, end, 2)]
        rest = rest[end + 1 :]
        width = 2 + len(others)
        choices = [rest[n : n + width] for n in range(0, len(rest) - width + 1, width) if rest[n]]
        left = [choice for choice in choices if exists(choice[0])]
        if not left:
            return None
        best = next((choice for choice in left if choice[0] == chosen), None)
        best = best or max(left, key=lambda choice: int(choice[1]))
    except (ValueError, IndexError):
        return None
    head = [mode, link, *(word for pair in others for word in pair), ""]
    body = [word for choice in left for word in choice]
    paths = zip([name, *(other for other, _ in others)], [best[0], *best[2:]], strict=True)
    return Alternatives(
        text="\n".join([*head, *body, "", ""]), links={where: path for where, path in paths if path}
    )


def _interested(word: str) -> str:
    return word.partition("/")[0]


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
