"""Why a set of packages cannot be composed: where layers would show something else than dpkg makes.

dpkg unpacks one package after the other into what is there; layers know nothing of each other. The
two agree as long as no package meets a file, a link or a rule that was there before it. Whatever
does is named here, and the packages are installed by apt instead. Pure: it judges what it is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What lies at a path."""

    FOLDER = "d"
    FILE = "f"
    LINK = "l"
    OTHER = "o"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One path of a package or of a root.

    Attributes:
        kind: what it is.
        mode: permissions, set-id bits among them.
        uid: its owner.
        gid: its group.
    """

    kind: Kind
    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What a package brings, as far as it can matter to others.

    Attributes:
        name: of the package; with its architecture (``libc6:i386``) if that is a foreign one.
        version: its version.
        arch: its architecture.
        entries: all that it unpacks, by absolute path, merged ``/usr`` respected.
        unwanted: configuration files that dpkg removes when it unpacks the package.
        preinst: its script that runs before it is unpacked; empty when it has none.
        shared: paths that the same package of another architecture has with the same bytes.
    """

    name: str
    version: str
    arch: str
    entries: Mapping[str, Entry]
    unwanted: frozenset[str] = frozenset()
    preinst: str = ""
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """The root that the packages come over.

    Attributes:
        known: names that dpkg has heard of, also of packages removed but for their configuration.
        lookup: what lies at an absolute path, by lstat(2); ``None`` for nothing.
        diverted: paths that dpkg-divert(1) sends elsewhere, and where to.
        overrides: paths whose mode or owner dpkg-statoverride(1) rules.
        configuration: dpkg's own, ``/etc/dpkg/dpkg.cfg`` and the files beside it.
    """

    lookup: Callable[[str], Entry | None]
    known: frozenset[str] = frozenset()
    diverted: frozenset[str] = frozenset()
    overrides: frozenset[str] = frozenset()
    configuration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """A folder that a package has too, whose mode and owner must stay what they were."""

    path: str
    entry: Entry


_FILTER = re.compile(r"^\s*(path-(?:exclude|include))\b", re.MULTILINE)


def doubt(packages: Sequence[Unpacked], below: Below) -> str:
    """Say why packages may not be composed over a root.

    Args:
        packages: in the order in which apt would unpack them.
        below: the root.

    Returns:
        the first reason, for people; empty when layers show what dpkg would have made.
    """
    return next(_doubts(packages, below), "")


def mends(packages: Iterable[Unpacked], below: Below) -> tuple[Mend, ...]:
    """The folders of the root below that would look different with the packages' layers on it.

    dpkg leaves a folder as it is that is there already; a mount shows the uppermost layer's. (The
    packages' own folders come out right when the first to be unpacked is the uppermost.)
    """
    first: dict[str, Entry] = {}
    for package in packages:
        for path, entry in package.entries.items():
            if entry.kind is Kind.FOLDER:
                first.setdefault(path, entry)
    found = ((path, entry, below.lookup(path)) for path, entry in sorted(first.items()))
    return tuple(
        Mend(path=path, entry=before)
        for path, entry, before in found
        if before is not None and before.kind is Kind.FOLDER and before != entry
    )


def share_folders_alike(packages: Iterable[Unpacked]) -> bool:
    """Whether a folder of several packages is the same in all, so that no matter which is first."""
    first: dict[str, Entry] = {}
    return all(
        first.setdefault(path, entry) == entry
        for package in packages
        for path, entry in package.entries.items()
        if entry.kind is Kind.FOLDER
    )


def _doubts(packages: Sequence[Unpacked], below: Below) -> Iterator[str]:
    filtered = _FILTER.search(below.configuration)
    if filtered:
        yield f"dpkg is configured with {filtered[1]}"
    brought: dict[str, tuple[str, Kind]] = {}
    for package in packages:
        if package.name in below.known:
            yield f"{package.name} is in the branch already, in another version or state"
        for path in package.entries.keys() & (below.diverted | below.overrides):
            rule = "is diverted" if path in below.diverted else "has an owner or mode of its own"
            yield f"{path} of {package.name} {rule}"
        for path in sorted(filter(below.lookup, package.unwanted)):
            yield f"{package.name} removes {path}"
        for path, entry in package.entries.items():
            if path in package.shared:
                continue
            holder, kind = brought.setdefault(path, (package.name, entry.kind))
            if holder == package.name:
                holder, there = "the branch", below.lookup(path)
                kind = there.kind if there else Kind.FOLDER
                if there is None:
                    continue
            if kind is not Kind.FOLDER or entry.kind is not Kind.FOLDER:
                yield f"{path} of {package.name} is in {holder} already"
