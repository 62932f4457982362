"""The server's branches kept fresh, so that all workers move on together."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

from lapstrake.branch.instance import refresh_reason
from lapstrake.config.branches import usable_branches
from lapstrake.config.model import RefreshMode
from lapstrake.errors import LapstrakeError
from lapstrake.host.children import Children
from lapstrake.host.locks import holders
from lapstrake.names import BranchName
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace

DEFAULT_SECONDS = 300.0
"""How often to look when the configuration sets no ``refresh.max_age``."""

_LOG = logging.getLogger("lapstrake.farm.keeper")
_LAST_LINES = 5


def period(place: Workplace) -> float:
    """How often branches are looked at, in seconds."""
    return place.config.refresh.max_age or DEFAULT_SECONDS


def refresh_branches(place: Workplace, options: Sequence[str] = ()) -> tuple[BranchName, ...]:
    """Look whether upstream has anything new, and make new instances in children of this process.

    Only branches that somebody has used are looked at, and none when the configuration says never.

    Args:
        place: the server's own.
        options: of the program, so that a child has the same configuration.

    Returns:
        the branches that were made anew.
    """
    if place.config.refresh.mode is RefreshMode.NEVER:
        return ()
    branches, wrong = usable_branches(place.config.folder)
    for error in wrong.values():
        _LOG.warning("%s", error.brief)
    return tuple(name for name in sorted(branches) if _refresh_one(place, name, options))


def doing(place: Workplace) -> str:
    """What any process does to the server's roots now: for ``GET /builder/status``.

    Returns:
        ``loading OS``, ``updating OS``, or nothing.
    """
    locks = place.private / "locks"
    if holders(locks / "base"):
        return "loading OS" if StateFiles(place.private).base() is None else "updating OS"
    if any(holders(lock) for lock in locks.glob("branch-*")):
        return "updating OS"
    return ""


def _refresh_one(place: Workplace, name: BranchName, options: Sequence[str]) -> bool:
    try:
        if StateFiles(place.private).branch(name).current is None:
            return False
        reason = refresh_reason(place, name, refresh=True)
    except LapstrakeError as failed:
        _LOG.warning("the branch %s cannot be looked at: %s", name, failed.brief)
        return False
    if not reason:
        return False
    _LOG.info("refreshing the branch %s: %s", name, reason)
    lines: list[str] = []
    with Children() as children:
        argv = (sys.executable, "-m", "lapstrake", *options, "branch", "refresh", name.text)
        children.start(name.text, argv)
        while children:
            for event in children.events():
                lines = [*lines, event.line.decode("utf-8", "replace")][-_LAST_LINES:]
                if event.status:
                    _LOG.error("the branch %s could not be refreshed: %s", name, " ".join(lines))
                    return False
    return True
