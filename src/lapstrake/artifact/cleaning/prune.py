"""Removing artifacts, and what came of getting and building them, that nobody used for long."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

from lapstrake.artifact.cleaning import leftovers
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.keeping.cache import ArtifactCache, BusyError
from lapstrake.artifact.keeping.entries import Entry, Kind, archives_in
from lapstrake.host.files import remove_tree

_RECENT = 86400.0
_UNLOCKED = (Kind.PARTIAL, Kind.SOURCE, Kind.PACKAGE)
"""Nothing tells whether somebody uses these; those of the last day stay."""


def besides(depot: Depot, *, downloads: bool = False, builds: bool = False) -> list[Entry]:
    """What there is besides artifacts.

    Args:
        depot: where.
        downloads: what was downloaded: archives, what broke off, platforms' sources, packages that
            were fetched.
        builds: where artifacts were built: folders that are in no package, volumes of containers.
    """
    found: list[Entry] = []
    if downloads:
        found += archives_in(depot.downloads)
        found += leftovers.partials_in(depot.downloads)
        found += leftovers.sources_in(depot.downloads)
        found += leftovers.packages_in(depot.packages)
    if builds:
        from lapstrake.artifact.cleaning.volumes import volumes_of_builds

        found += leftovers.builds_in(depot.builds)
        found += volumes_of_builds(depot.config.runner.docker)
    return sorted(found, key=lambda entry: (entry.kind, entry.name))


def prune(
    cache: ArtifactCache,
    *,
    older_than: float | None = None,
    max_size: int | None = None,
    keep: int = 0,
    names: Collection[str] = (),
    others: Sequence[Entry] = (),
    dry_run: bool = False,
) -> tuple[Entry, ...]:
    """Remove what was used longest ago; what somebody uses now stays.

    Args:
        cache: the artifacts.
        older_than: as of `choose_old`; likewise the next three.
        max_size: see there.
        keep: see there.
        names: see there.
        others: what is judged as well, see `besides`.
        dry_run: only tell.

    Returns:
        what is gone, or would be.
    """
    chosen = choose_old(
        (*cache.entries(), *others),
        now=time.time(),
        older_than=older_than,
        max_size=max_size,
        keep=keep,
        names=names,
    )
    if dry_run:
        return chosen
    cache.clear_work()
    return tuple(entry for entry in chosen if _removed(cache, entry))


def _removed(cache: ArtifactCache, entry: Entry) -> bool:
    """Whether it is gone; what is in use stays."""
    match entry.kind:
        case Kind.ARTIFACT:
            try:
                return cache.remove(entry.name)
            except BusyError:
                return False
        case Kind.ARCHIVE | Kind.PARTIAL:
            entry.path.unlink(missing_ok=True)
            return True
        case Kind.SOURCE:
            remove_tree(entry.path)
            return True
        case Kind.PACKAGE:
            return leftovers.remove_package(entry)
        case Kind.BUILD:
            return leftovers.remove_build(entry)
        case Kind.VOLUME:
            from lapstrake.artifact.cleaning.volumes import remove_volume

            return remove_volume(entry)


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

    A link that leads to no artifact any more, or a volume whose build folder is gone, goes in any
    case.

    Args:
        entries: all that is kept; foreign ones count for no size and stay.
        now: seconds since 1970.
        older_than: seconds without use after which one goes.
        max_size: bytes that all together may take.
        keep: how many of each package (of each kind apart) stay in any case.
        names: those that stay as well.

    Returns:
        the chosen, used longest ago first.
    """
    ours = sorted((each for each in entries if not each.foreign), key=lambda each: each.used)
    kept: dict[tuple[str, Kind], int] = {}
    total = sum(each.size for each in ours)
    free = []
    for entry in reversed(ours):
        group = (entry.package, entry.kind)
        kept[group] = kept.get(group, 0) + (not entry.lost)
        single = entry.kind in (Kind.PARTIAL, Kind.SOURCE)  # of no package that is known
        held = entry.kind in _UNLOCKED and now - entry.used < _RECENT
        if (single or kept[group] > keep or entry.lost) and not held and entry.name not in names:
            free.append(entry)
    gone = []
    for entry in reversed(free):
        too_old = older_than is not None and now - entry.used > older_than
        too_much = max_size is not None and total > max_size and entry.size > 0
        if too_old or too_much or entry.lost:
            gone.append(entry)
            total -= entry.size
    return tuple(gone)
