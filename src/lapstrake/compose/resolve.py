"""What apt would install to fulfil a wish: asked once, remembered for each state of a branch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

from lapstrake.compose.apt_answers import (
    early_batches,
    excluding,
    files_of,
    installs,
    new_count,
    removes,
    unknown_of,
    unsatisfied,
    with_file,
)
from lapstrake.compose.asked import asked_for
from lapstrake.compose.base import Wanted
from lapstrake.compose.clash import clash_of
from lapstrake.compose.resolution import Item, Order, Resolution
from lapstrake.compose.status import parse_status
from lapstrake.compose.view import View
from lapstrake.compose.wish import refuse_unknown, relations_of, satisfy_words
from lapstrake.errors import DependencyError
from lapstrake.formats.keys import cache_key
from lapstrake.names import CacheKey
from lapstrake.place.answers import recall, remember
from lapstrake.place.apt import Apt

_FORMAT = 4
_SUMS = "-oAcquire::ForceHash=SHA256"
"""Makes ``--print-uris`` tell that sum; it tells MD5 otherwise (apt.conf(5))."""


def resolve(view: View, wanted: Wanted) -> Resolution:
    """Find out what apt would install; asked only where the answer is not remembered.

    Raises:
        MissingError: packages are unknown; all of them are named.
        DependencyError: apt cannot satisfy the rest; the brief names what.
    """
    known = remembered(view, wanted)
    if known is not None:
        return known
    view.place.progress.headline("resolving what is needed")
    with view.ask("resolve") as apt:
        try:
            resolution = _with_own(view, _with_asked(view, apt, wanted, _ask(apt, wanted)))
        except DependencyError as failed:
            refuse_unknown(_unknown(apt, wanted.packages))
            blamed = [*unsatisfied(failed.details), *excluding(failed.details)]
            clash = clash_of(apt, wanted.packages, blamed)
            raise (clash or _unsatisfied(view, failed)) from failed
    remember(view.place, _question(view, wanted), asdict(resolution))
    return resolution


def _with_own(view: View, resolution: Resolution) -> Resolution:
    """Take the branch's own file where the archive has another one of the same version, too."""
    own = {entry.identity: entry for entry in view.repository.packages()}
    items = [
        replace(item, sha256=entry.sha256, size=entry.size)
        if (entry := own.get((item.name, item.version, item.arch)))
        else item
        for item in resolution.items
    ]
    return replace(resolution, items=tuple(items))


def in_order(view: View, wanted: Wanted, resolution: Resolution) -> Order:
    """Find out in which order apt would unpack the packages, and what it configures in between.

    Telling it takes apt as long as all else, and it matters little; so it is asked by itself.
    """
    with view.ask("resolve") as apt:
        output = apt.get("--simulate", *satisfy_words(wanted), network=False)
    lines = output.decode("utf-8", "replace").splitlines()
    place = {item.exactly: number for number, item in enumerate(installs(lines))}
    items = sorted(resolution.items, key=lambda item: place.get(item.exactly, len(place)))
    return Order(items=tuple(items), early=early_batches(lines))


def remembered(view: View, wanted: Wanted) -> Resolution | None:
    """What `resolve` would answer without asking apt."""
    if not (relations_of(wanted) or wanted.conflicts):
        return Resolution(items=())
    known = recall(view.place, _question(view, wanted))
    if known is None:
        return None
    items = tuple(Item(**item) for item in known["items"])
    return Resolution(items=items, removed=tuple(known["removed"]), asked=tuple(known["asked"]))


def look_up(apt: Apt, names: Sequence[str]) -> dict[str, Item]:
    """Ask apt's index for package files, by ``NAME=VERSION``.

    Returns:
        what was found, by `Item.exactly`.

    Raises:
        DependencyError: the archive has one of them no longer.
    """
    if not names:
        return {}
    output = apt.get("--print-uris", "download", *names, network=False)
    return {item.exactly: item for item in files_of(output.decode("utf-8", "replace"))}


def _ask(apt: Apt, wanted: Wanted) -> Resolution:
    """Ask which files apt would fetch; only what is more than that needs a simulation."""
    output = apt.get(_SUMS, "--print-uris", *satisfy_words(wanted), network=False)
    text = output.decode("utf-8", "replace")
    items = files_of(text)
    if len(items) == new_count(text):
        return Resolution(items=tuple(sorted(items, key=lambda item: item.name)))
    return _simulate(apt, wanted)


def _with_asked(view: View, apt: Apt, wanted: Wanted, resolution: Resolution) -> Resolution:
    """Find those that are wanted themselves: what they provide counts, which is in apt's index."""
    names = [item.exactly for item in resolution.items]
    if not names:
        return resolution
    text = apt.run(("apt-cache", "show", *names)).decode("utf-8", "replace")
    asked = asked_for(
        parse_status(text), relations_of(wanted), own=view.place.config.arch, host=wanted.host
    )
    found = (
        item.exactly for item in resolution.items if (item.name, item.version, item.arch) in asked
    )
    return replace(resolution, asked=tuple(found))


def _simulate(apt: Apt, wanted: Wanted) -> Resolution:
    output = apt.get("--simulate", *satisfy_words(wanted), network=False)
    lines = output.decode("utf-8", "replace").splitlines()
    items = installs(lines)
    found = look_up(apt, [item.exactly for item in items])
    return Resolution(
        items=tuple(with_file(item, found.get(item.exactly)) for item in items),
        removed=tuple(sorted(removes(lines))),
    )


def _unknown(apt: Apt, names: Sequence[str]) -> list[str]:
    """Which of the names apt does not know at all.

    They are compared with all names that it knows: in its own eyes an unknown one with a plus or a
    dot is a regular expression (apt-get(8)), and may stand for many packages.
    """
    known = frozenset(apt.run(("apt-cache", "pkgnames")).decode("utf-8", "replace").split())
    bare = [name for name in names if "=" not in name]
    unknown = {name for name in bare if name.partition(":")[0] not in known}
    try:
        look_up(apt, [name for name in names if name not in bare])
    except DependencyError as failed:
        unknown.update(unknown_of(failed.details))
    return [name for name in names if name in unknown]


def _unsatisfied(view: View, failed: DependencyError) -> DependencyError:
    """Say which dependency it is, not only that apt failed."""
    names = dict.fromkeys(unsatisfied(failed.details))
    if not names:
        return failed
    return DependencyError(
        f"{view.branch.name} does not have what is needed: {', '.join(names)}",
        details=failed.details,
        resolution="Check the name, build it for this branch first, or add its archive to the "
        "branch's source list.",
    )


def _question(view: View, wanted: Wanted) -> CacheKey:
    """All that the answer depends on."""
    return cache_key(
        "resolution",
        {
            "format": _FORMAT,
            "instance": view.branch.top.hex,
            "repository": str(view.repository.state()),
            "wanted": relations_of(wanted),
            "conflicts": list(wanted.conflicts),
            "profiles": wanted.profiles,
            **({"host": wanted.host.value} if wanted.host else {}),
        },
    )
