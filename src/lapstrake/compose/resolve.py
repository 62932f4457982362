"""What apt would install to fulfil a wish: asked once, remembered for each state of a branch."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace

from lapstrake.compose.asked import asked_for
from lapstrake.compose.base import Wanted
from lapstrake.compose.clash import clash_of
from lapstrake.compose.status import parse_status
from lapstrake.compose.view import View
from lapstrake.errors import DependencyError, MissingError
from lapstrake.formats.keys import cache_key
from lapstrake.names import CacheKey
from lapstrake.place.answers import recall, remember
from lapstrake.place.apt import Apt

_FORMAT = 4
_INSTALLS = re.compile(
    r"^Inst (?P<name>\S+) (?:\[(?P<old>\S+)\] )?\((?P<version>\S+) .*\[(?P<arch>[a-z0-9-]+)\]\)"
)
_CONFIGURES = re.compile(r"^Conf (?P<name>[^\s:]+)\S* \((?:.*\[(?P<arch>[a-z0-9-]+)\]\))?")
_REMOVES = re.compile(r"^(?:Remv|Purg) (\S+)")
_FILE = re.compile(r"^'[^']+' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})")
_UNSATISFIED = re.compile(r"(?:: |^\s+)(?:Pre)?Depends: (.+?) but ", re.MULTILINE)
_EXCLUDES = re.compile(r"^\s*(\S+) : (?:Conflicts|Breaks): ", re.MULTILINE)
_UNKNOWN = re.compile(
    r"(?:Unable to locate package|candidate version from package) (\S+)"
    r"|Version '(\S+)' for '(\S+)' was not found"
)
_COUNTS = re.compile(
    r"^(?P<upgraded>\d+) upgraded, (?P<new>\d+) newly installed, (?P<more>.*?)"
    r"(?P<removed>\d+) to remove and \d+ not upgraded\.$",
    re.MULTILINE,
)
_SUMS = "-oAcquire::ForceHash=SHA256"
"""Makes ``--print-uris`` tell that sum; it tells MD5 otherwise (apt.conf(5))."""
_NAME = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?)(?:=(?P<version>[A-Za-z0-9.+~:-]+))?\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One package that apt would install.

    Attributes:
        name: its name.
        version: its version.
        arch: its architecture, ``all`` among them.
        sha256: of the package file.
        size: bytes of the package file.
        old: the version that it replaces; empty when there is none.
    """

    name: str
    version: str
    arch: str
    sha256: str = ""
    size: int = 0
    old: str = ""

    @property
    def exactly(self) -> str:
        """As apt names this one package and no other."""
        arch = "" if self.arch == "all" else f":{self.arch}"
        return f"{self.name}{arch}={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What apt would do.

    Attributes:
        items: what it would install.
        removed: names of what it would remove.
        asked: those of the items that fulfil the wish themselves; the others come along
            (`Item.exactly`).
    """

    items: tuple[Item, ...]
    removed: tuple[str, ...] = ()
    asked: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.items or self.removed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """In which order apt would go about it.

    Attributes:
        items: what it would install, the first to be unpacked first.
        early: names, call by call, of what it configures before it has unpacked all the rest,
            because others have it in their ``Pre-Depends``.
    """

    items: tuple[Item, ...]
    early: tuple[tuple[str, ...], ...] = ()


def relations_of(wanted: Wanted) -> str:
    """Write a wish as ``apt-get satisfy`` takes it (apt-get(8)).

    Raises:
        MissingError: names that no package can have.

    >>> relations_of(Wanted(packages=("a", "b=1"), relations="c | d"))
    'a, b (= 1), c | d'
    """
    read = {text: _NAME.match(text) for text in wanted.packages}
    _refuse([text for text, match in read.items() if match is None])
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
            _refuse(_unknown(apt, wanted.packages))
            blamed = [*_UNSATISFIED.findall(failed.details), *_EXCLUDES.findall(failed.details)]
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
    order = [_item(match).exactly for match in map(_INSTALLS.match, lines) if match]
    place = {name: number for number, name in enumerate(order)}
    items = sorted(resolution.items, key=lambda item: place.get(item.exactly, len(place)))
    return Order(items=tuple(items), early=early_batches(lines))


def early_batches(lines: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Read from ``apt-get --simulate`` what is configured before all is unpacked, call by call.

    >>> early_batches(["Inst a (1 [amd64])", "Conf a (1 [amd64])", "Inst b (1)", "Conf b (1)"])
    (('a:amd64',),)
    """
    batches: list[tuple[str, ...]] = []
    batch: list[str] = []
    for line in lines:
        configured = _CONFIGURES.match(line)
        if configured:
            arch = configured["arch"]
            of_one = arch and arch != "all"
            batch.append(f"{configured['name']}:{arch}" if of_one else configured["name"])
        elif line.startswith("Inst ") and batch:
            batches.append(tuple(batch))
            batch = []
    return tuple(batches)


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
    return {item.exactly: item for item in _files(output.decode("utf-8", "replace"))}


def _ask(apt: Apt, wanted: Wanted) -> Resolution:
    """Ask which files apt would fetch; only what is more than that needs a simulation."""
    output = apt.get(_SUMS, "--print-uris", *satisfy_words(wanted), network=False)
    text = output.decode("utf-8", "replace")
    counts = _COUNTS.search(text)
    items = _files(text)
    only_new = counts and counts["upgraded"] == counts["removed"] == "0" and not counts["more"]
    if counts and only_new and len(items) == int(counts["new"]):
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
    text = output.decode("utf-8", "replace").splitlines()
    items = [_item(match) for match in map(_INSTALLS.match, text) if match]
    removed = [match[1] for match in map(_REMOVES.match, text) if match]
    found = look_up(apt, [item.exactly for item in items])
    return Resolution(
        items=tuple(_joined(item, found) for item in items), removed=tuple(sorted(removed))
    )


def _item(match: re.Match[str]) -> Item:
    return Item(
        name=match["name"].partition(":")[0],
        version=match["version"],
        arch=match["arch"],
        old=match["old"] or "",
    )


def _joined(item: Item, found: dict[str, Item]) -> Item:
    """What apt says of a package, and of its file."""
    file = found.get(item.exactly)
    if file is None:
        return item
    return Item(**{**asdict(file), "arch": item.arch, "old": item.old})


def _files(text: str) -> list[Item]:
    """Read what ``apt-get --print-uris`` says; apt writes a version's colon as ``%3a``."""
    found = []
    for match in filter(None, map(_FILE.match, text.splitlines())):
        name, version, arch = match["file"].removesuffix(".deb").split("_")
        found.append(
            Item(
                name=name,
                version=version.replace("%3a", ":"),
                arch=arch,
                sha256=match["sha256"],
                size=int(match["size"]),
            )
        )
    return found


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
        unknown |= {
            f"{match[3]}={match[2]}" if match[3] else match[1]
            for match in _UNKNOWN.finditer(failed.details)
        }
    return [name for name in names if name in unknown]


def _refuse(names: Sequence[str]) -> None:
    if names:
        raise MissingError(
            tuple(names), resolution="Check the names, or add their archive to the branch's list."
        )


def _unsatisfied(view: View, failed: DependencyError) -> DependencyError:
    """Say which dependency it is, not only that apt failed."""
    names = dict.fromkeys(_UNSATISFIED.findall(failed.details))
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
