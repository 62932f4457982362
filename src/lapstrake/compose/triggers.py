"""Triggers of dpkg: who is interested in which, and whom new files wake (deb-triggers(5)).

dpkg keeps ``/var/lib/dpkg/triggers``: the file ``File`` has interests in paths, one file for each
other trigger those in it, and ``Unincorp`` what was woken and not dealt with yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

FOLDER = "var/lib/dpkg/triggers"
"""The folder's path below a root."""
PATHS = "File"
WOKEN = "Unincorp"

_DIRECTIVE = re.compile(
    r"^[ \t]*interest(-noawait|-await)?[ \t]+(\S+)[ \t]*(?:#.*)?$", re.MULTILINE
)
_NOT_AWAITED = "/noawait"


def interests(package: str, text: str) -> tuple[tuple[str, str], ...]:
    """Read whom a package's control file ``triggers`` is interested in.

    Returns:
        triggers, and the package as dpkg's own files write it: ``NAME`` or ``NAME/noawait``.
    """
    return tuple(
        (trigger, package + (_NOT_AWAITED if how == "-noawait" else ""))
        for how, trigger in _DIRECTIVE.findall(text)
    )


def added_interests(new: Iterable[tuple[str, str]], before: Mapping[str, str]) -> dict[str, str]:
    """Add interests to dpkg's files.

    Args:
        new: what `interests` gave.
        before: the content of the files of dpkg's folder by their names.

    Returns:
        the content of those that change.
    """
    after: dict[str, str] = {}
    for trigger, package in new:
        path = trigger.startswith("/")
        name, line = (PATHS, f"{trigger} {package}") if path else (trigger, package)
        text = after.get(name, before.get(name, ""))
        after[name] = f"{text}{line}\n"
    return after


def woken(interested: str, packages: Sequence[Iterable[str]]) -> str:
    """Find the triggers that files of new packages wake.

    Args:
        interested: the content of ``File`` before the packages came.
        packages: the paths of each; those in ``/usr`` may stand for such outside of it.

    Returns:
        what is to be added to ``Unincorp``; nobody waits for these.
    """
    triggers = {line.split(" ")[0] for line in interested.splitlines() if line.startswith("/")}
    hit = {
        trigger
        for paths in packages
        for whole in paths
        for path in (whole, whole.removeprefix("/usr"))
        for trigger in triggers
        if path.startswith(trigger) and path[len(trigger) : len(trigger) + 1] in ("", "/")
    }
    return "".join(f"{trigger} -\n" for trigger in sorted(hit))
