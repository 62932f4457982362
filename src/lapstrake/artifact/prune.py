"""Removing artifacts and archives that nobody used for long."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from pathlib import Path

from lapstrake.artifact.cache import ArtifactCache, BusyError
from lapstrake.artifact.entries import Entry, archives_in


def prune(
    cache: ArtifactCache,
    *,
    older_than: float | None = None,
    max_size: int | None = None,
    keep: int = 0,
    names: Collection[str] = (),
    archives: Path | None = None,
    dry_run: bool = False,
) -> tuple[Entry, ...]:
    """Remove what was used longest ago; what somebody uses now stays.

    Args:
        cache: the artifacts.
        older_than: as of `choose_old`; likewise the next three.
        max_size: see there.
        keep: see there.
        names: see there.
        archives: the folder of downloads, whose archives are judged as well.
        dry_run: only tell.

    Returns:
        what is gone, or would be.
    """
    kept = [*cache.entries(), *(archives_in(archives) if archives else ())]
    chosen = choose_old(
        kept, now=time.time(), older_than=older_than, max_size=max_size, keep=keep, names=names
    )
    if dry_run:
        return chosen
    cache.clear_work()
    return tuple(entry for entry in chosen if _removed(cache, entry))


def _removed(cache: ArtifactCache, entry: Entry) -> bool:
    if entry.archive:
        entry.path.unlink(missing_ok=True)
        return True
    try:
        return cache.remove(entry.name)
    except BusyError:
        return False


def choose_old(
    entries: Iterable[Entry],
    *,
    now: float,
    older_than: float | None = None,
    max_size: int | None = None,
    keep: int = 0,
    names: Collection[str] = (),
) -> tuple[Entry, ...]:
    """Choose what goes: what is too old, then what was used longest ago until the rest fits.

    A link that leads to no artifact any more goes in any case.

    Args:
        entries: all that is kept; foreign ones count for no size and stay.
        now: seconds since 1970.
        older_than: seconds without use after which one goes.
        max_size: bytes that all together may take.
        keep: how many of each package (artifacts, and archives apart) stay in any case.
        names: those that stay as well.

    Returns:
        the chosen, used longest ago first.
    """
    ours = sorted((each for each in entries if not each.foreign), key=lambda each: each.used)
    kept: dict[tuple[str, bool], int] = {}
    total = sum(each.size for each in ours)
    free = []
    for entry in reversed(ours):
        group = (entry.package, entry.archive)
        kept[group] = kept.get(group, 0) + 1
        if kept[group] > keep and entry.name not in names:
            free.append(entry)
    gone = []
    for entry in reversed(free):
        too_old = older_than is not None and now - entry.used > older_than
        too_much = max_size is not None and total > max_size and entry.size > 0
        lost = entry.link is not None and not entry.checksum
        if too_old or too_much or lost:
            gone.append(entry)
            total -= entry.size
    return tuple(gone)
