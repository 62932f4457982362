"""What a site has instead of the archive that it lacks: the usual reasons, seen from its names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lapstrake.artifact.identity import SHORT, Identity

_SHOWN = 5


def describe_others(identity: Identity, names: Iterable[str]) -> str:
    """Say which archives of the same package are there, by what keeps them from being ours.

    Args:
        identity: what was wanted.
        names: of all files that the site has, with suffixes or without.

    Returns:
        what goes behind "not there": it begins with a semicolon.
    """
    ours = re.compile(
        rf"{re.escape(identity.package)}-(portable|[a-z]+_[a-z0-9_]+)-(.+)-([0-9A-F]{{{SHORT}}})"
        r"(\.tar\.\w+)?"
    )
    found = [match for name in sorted(set(names)) if (match := ours.fullmatch(name))]
    short = identity.checksum[:SHORT]
    hosts = [m[1] for m in found if (m[2], m[3]) == (identity.version, short)]
    if hosts:
        return f"; it has this one for {_listed(hosts)}, not for {identity.host}"
    sums = [m[3] for m in found if (m[1], m[2]) == (identity.host, identity.version)]
    if sums:
        return (
            f"; it has version {identity.version} made from other inputs:"
            f" checksum {_listed(sums)}, not {short}"
        )
    if found:
        return f"; of {identity.package} it has {_listed(m[0] for m in found)}"
    return f"; it has nothing of {identity.package}"


def _listed(words: Iterable[str]) -> str:
    """The greatest of some words."""
    unique = list(dict.fromkeys(words))
    more = len(unique) - _SHOWN
    return ", ".join(unique[-_SHOWN:]) + (f" and {more} more" if more > 0 else "")
