"""Why a set of packages cannot be composed: where layers would show something else than dpkg makes.

dpkg unpacks one package after the other into what is there; layers know nothing of each other. The
two agree as long as no package meets a file, a link or a rule that was there before it. Whatever
does is named here, and the packages are installed by apt instead. Pure: it judges what it is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
        target: of a link.
    """

    kind: Kind
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """What a package brings, as far as it can matter to others.

    Attributes:
        name: of the package, for people.
        entries: all that it unpacks, by absolute path, merged ``/usr`` respected.
        conffiles: those of its files that dpkg asks about before it replaces them.
        preinst: its script that runs before it is unpacked; empty when it has none.
    """

    name: str
    entries: Mapping[str, Entry]
    conffiles: frozenset[str] = frozenset()
    preinst: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Below:
    """The root that the packages come over.

    Attributes:
        known: names that dpkg has heard of, also of packages removed but for their configuration.
        lookup: what lies at an absolute path, by lstat(2); ``None`` for nothing.
        diverted: paths that dpkg-divert(1) sends elsewhere, or that others were sent to.
        overrides: paths whose mode or owner dpkg-statoverride(1) rules.
        configuration: dpkg's own, ``/etc/dpkg/dpkg.cfg`` and the files beside it.
    """

    known: frozenset[str] = frozenset()
    lookup: Callable[[str], Entry | None]
    diverted: frozenset[str] = frozenset()
    overrides: frozenset[str] = frozenset()
    configuration: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend:
    """A folder that a package has too, whose mode and owner must stay what they were."""

    path: str
    entry: Entry


@dataclass(slots=True)
class _Ground:
    """What lies where, package by package; remembers what the root below said."""

    below: Below
    owners: dict[str, tuple[str, Entry]] = field(default_factory=dict)
    seen: dict[str, Entry | None] = field(default_factory=dict)

    def under(self, path: str) -> Entry | None:
        if path not in self.seen:
            self.seen[path] = self.below.lookup(path)
        return self.seen[path]


_FILTER = re.compile(r"^\s*(path-(?:exclude|include))\b", re.MULTILINE)
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_HELPER = re.compile(r"^\s*dpkg-maintscript-helper\b.*-- \"\$@\"\s*$", re.MULTILINE)
_ONLY_ONCE_KNOWN = re.compile(
    r"""^\s*if\ [^\n;]*(?:\[\ -n\ "\$2"\ \]|\[\ "\$2"\ \]|"?\$1"?\ =\ "?upgrade"?)[^|\n]*?
        (?:;\s*then|\n\s*then)\n(?:(?!\s*(?:if|else|elif|fi)\b).*\n)*\s*fi\b.*$""",
    re.MULTILINE | re.VERBOSE,
)
_OTHER_CASES = re.compile(
    r"^\s*(?:(?:\|?\s*(?:upgrade|abort-upgrade|abort-install|\*))+)\s*\)(?:.|\n)*?;;\s*$",
    re.MULTILINE,
)
_IDLE = re.compile(
    r"""^\s*(?:set\ -[eux]+|exit\ 0|true|:|umask\ \d+|esac|;;|(?:install|install\|upgrade|
        upgrade\|install)\s*\)|case\ "?\$1"?\ in|\w+=[\w./~:+"-]*)\s*(?:;;)?\s*$""",
    re.MULTILINE | re.VERBOSE,
)
"""Lines that only decide: whatever else is left does something."""
_PATH = re.compile(r"/[\w.+@/-]+")


def active_part(preinst: str) -> str:
    """What is left of a ``preinst`` when a package is installed for the first time.

    Gone are comments, what debhelper adds for upgrades, and what only runs when an older version is
    named. Empty: it does nothing, and need not run. Only what is surely idle is taken away.
    """
    text = _COMMENT.sub("", preinst)
    for pattern in (_HELPER, _ONLY_ONCE_KNOWN, _OTHER_CASES, _IDLE):
        text = pattern.sub("", text)
    return text.strip()


def doubt(packages: Sequence[Unpacked], below: Below) -> str:
    """Say why packages may not be composed over a root.

    Args:
        packages: in the order in which apt would unpack them.
        below: the root.

    Returns:
        the first reason, for people; empty when layers show what dpkg would have made.
    """
    ground = _Ground(below)
    return next(_doubts(packages, ground), "")


def mends(packages: Iterable[Unpacked], below: Below) -> tuple[Mend, ...]:
    """The folders of the root below that would look different with the packages' layers on it.

    dpkg leaves a folder as it is that is there already; a mount shows the uppermost layer's. (The
    packages' own folders come out right when the first to be unpacked is the uppermost.)
    """
    found: dict[str, Mend] = {}
    for package in packages:
        for path, entry in package.entries.items():
            if entry.kind is not Kind.FOLDER or path in found:
                continue
            before = below.lookup(path)
            if before is not None and before.kind is Kind.FOLDER and before != entry:
                found[path] = Mend(path=path, entry=before)
    return tuple(found[path] for path in sorted(found))


def _doubts(packages: Sequence[Unpacked], ground: _Ground) -> Iterator[str]:
    filtered = _FILTER.search(ground.below.configuration)
    if filtered:
        yield f"dpkg is configured with {filtered[1]}"
    for package in packages:
        if package.name in ground.below.known:
            yield f"{package.name} is in the branch already, in another version or state"
        for path, entry in package.entries.items():
            reason = _collision(package, path, entry, ground)
            if reason:
                yield reason
            ground.owners.setdefault(path, (package.name, entry))
    for package in packages:
        yield from _script_doubts(package, ground)


def _collision(package: Unpacked, path: str, entry: Entry, ground: _Ground) -> str:
    """What a package's path meets: a rule of dpkg's, something below, another package."""
    for paths, rule in (
        (ground.below.diverted, "is diverted"),
        (ground.below.overrides, "has a mode of its own (dpkg-statoverride)"),
    ):
        if path in paths:
            return f"{path} of {package.name} {rule}"
    before, holder = ground.under(path), "the branch"
    if path in ground.owners:
        holder, before = ground.owners[path]
    if before is None or (before.kind is entry.kind is Kind.FOLDER):
        return ""
    if path in package.conffiles:
        return f"{path}, a configuration file of {package.name}, is in {holder} already"
    if before.kind is entry.kind is Kind.LINK and before.target == entry.target:
        return "" if holder != "the branch" else f"{path} of {package.name} is in {holder} too"
    return f"{path} of {package.name} is in {holder} too"


def _script_doubts(package: Unpacked, ground: _Ground) -> Iterator[str]:
    """A ``preinst`` that looks at files which in a composed root are there too early."""
    active = active_part(package.preinst)
    if not active:
        return
    if "dpkg-divert" in active:
        yield f"the preinst of {package.name} diverts files"
    for path in dict.fromkeys(_PATH.findall(active)):
        owner, entry = ground.owners.get(path, ("", None))
        if entry is not None and entry.kind is not Kind.FOLDER and ground.under(path) is None:
            yield f"the preinst of {package.name} deals with {path}, which {owner} brings"
