"""``--require``: what a machine of the farm must have to take a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lapstrake.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lapstrake.farm.values.tasks import Requirements

REQUIRE = click.option(
    "--require",
    multiple=True,
    metavar="WORD",
    help="A capability of the machine, or cores=8, memory=16G, disk=50G.",
)


def requirements(words: Iterable[str], *, worker: str = "") -> Requirements:
    """What the words ask for; of a size that is said twice, the larger one.

    Raises:
        UsageError: a size is none.
    """
    from lapstrake.farm.values.tasks import Requirements

    capabilities: set[str] = set()
    sizes = {"cores": 0, "memory": 0, "disk": 0}
    for word in words:
        what, equals, amount = word.partition("=")
        if not equals:
            capabilities.add(word)
        elif what in sizes:
            sizes[what] = max(sizes[what], _amount(what, amount))
        else:
            raise UsageError(f"--require {word}: only cores, memory and disk have a size")
    return Requirements(capabilities=tuple(sorted(capabilities)), worker=worker, **sizes)


def _amount(what: str, text: str) -> int:
    from lapstrake.config.units import parse_size

    if what == "cores":
        if text.isascii() and text.isdigit():
            return int(text)
        raise UsageError(f"--require cores={text}: this is no number of processors")
    try:
        return parse_size(text)
    except ValueError as wrong:
        raise UsageError(f"--require {what}={text}: {wrong}") from wrong
