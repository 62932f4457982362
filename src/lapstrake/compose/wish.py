"""A wish for packages, in the words of apt-get."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lapstrake.compose.base import Wanted
from lapstrake.errors import MissingError

_NAME = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?)(?:=(?P<version>[A-Za-z0-9.+~:-]+))?\Z"
)


def relations_of(wanted: Wanted) -> str:
    """Write a wish as ``apt-get satisfy`` takes it (apt-get(8)).

    Raises:
        MissingError: names that no package can have.

    >>> relations_of(Wanted(packages=("a", "b=1"), relations="c | d"))
    'a, b (= 1), c | d'
    """
    read = {text: _NAME.match(text) for text in wanted.packages}
    refuse_unknown([text for text, match in read.items() if match is None])
    names = [
        f"{match['name']} (= {match['version']})" if match["version"] else match["name"]
        for match in read.values()
        if match
    ]
    return ", ".join([*names, *([wanted.relations] if wanted.relations else [])])


def satisfy_words(wanted: Wanted) -> list[str]:
    """The words that tell apt-get to fulfil a wish; each conflict is a word of its own.

    >>> satisfy_words(Wanted(packages=("a",), conflicts=("b",)))
    ['satisfy', 'a', 'Conflicts: b']
    """
    profiles = ",".join(wanted.profiles.split())
    options = [f"-oAPT::Build-Profiles={profiles}"] if profiles else []
    options += [f"--host-architecture={wanted.host}"] if wanted.host else []
    relations = relations_of(wanted)
    conflicts = [f"Conflicts: {other}" for other in wanted.conflicts]
    return [*options, "satisfy", *([relations] if relations else []), *conflicts]


def refuse_unknown(names: Sequence[str]) -> None:
    """Say which names no package has.

    Raises:
        MissingError: there is at least one.
    """
    if names:
        raise MissingError(
            tuple(names), resolution="Check the names, or add their archive to the branch's list."
        )
