"""What an index of a Debian archive tells about its packages: needs, sizes, sources, update rates.

The format is Debian's *repository format* (``Packages``); the fields are in Debian policy 5 and 7.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lapstrake.formats.debversion import compare_versions
from lapstrake.grouping.base import Graph, Knowledge, Node

_FIELD = re.compile(
    r"^(Package|Version|Source|Size|Section|Essential|Depends|Pre-Depends|Provides): (.*)$",
    re.MULTILINE,
)
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*")
_STABLE_UPDATE = re.compile(r"deb[0-9]+u([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of an index.

    Attributes:
        name: the field ``Package``.
        version: the field ``Version``.
        source: the source package.
        source_version: that one's version.
        size: bytes of the package's file.
        section: the field ``Section``.
        essential: it is part of every system.
        needs: for each thing it depends on, the alternative named first.
        provides: virtual packages that it stands for.
    """

    name: str
    version: str
    source: str
    source_version: str
    size: int
    section: str
    essential: bool
    needs: tuple[str, ...]
    provides: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """Packages by name.

    Attributes:
        packages: all of them.
        providers: virtual package → the first by name that provides it.
    """

    packages: Mapping[str, Package]
    providers: Mapping[str, str] = field(default_factory=dict)

    def references(self, name: str) -> tuple[str, ...]:
        """What a package needs, as far as the index has it; sorted."""
        found = (self.resolve(need) for need in self.packages[name].needs)
        return tuple(sorted({other for other in found if other and other != name}))

    def resolve(self, name: str) -> str:
        """The package that a name means; empty when there is none."""
        return name if name in self.packages else self.providers.get(name, "")

    def closure(self, names: Iterable[str]) -> frozenset[str]:
        """All that these packages need, themselves included; names unknown here are left out."""
        waiting = [found for found in map(self.resolve, names) if found]
        seen = set(waiting)
        while waiting:
            for other in self.references(waiting.pop()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return frozenset(seen)

    def graph(self, names: Iterable[str]) -> Graph:
        """The closure of these packages as a graph."""
        roots = tuple(sorted({found for found in map(self.resolve, names) if found}))
        nodes = {
            name: Node(
                name=name,
                label=name,
                source=self.packages[name].source,
                size=self.packages[name].size,
                references=self.references(name),
            )
            for name in sorted(self.closure(roots))
        }
        return Graph(nodes=nodes, roots=roots)

    def popularity(self) -> dict[str, float]:
        """How many packages name each one as something that they need."""
        counts = Counter(other for name in self.packages for other in self.references(name))
        return {name: float(counts[name]) for name in sorted(counts)}

    def stable_rates(self, weeks: float) -> dict[str, float]:
        """Updates in a week of each source, read from versions such as ``1.2-3+deb12u4``.

        Args:
            weeks: how long ago the release was made.
        """
        rates = {}
        for package in self.packages.values():
            number = _STABLE_UPDATE.search(package.source_version)
            if number:
                rates[package.source] = int(number.group(1)) / weeks
        return dict(sorted(rates.items()))

    def knowledge(self, *, weeks: float) -> Knowledge:
        """All that this index alone tells."""
        sizes = {name: package.size for name, package in sorted(self.packages.items())}
        return Knowledge(popularity=self.popularity(), rates=self.stable_rates(weeks), sizes=sizes)


def read_archive(texts: Iterable[str]) -> Archive:
    """Read the text of one or more ``Packages``; of packages of one name, the newest one counts.

    So it does not matter in which order the texts are given. Paragraphs that have no name or no
    size are left out.
    """
    packages: dict[str, Package] = {}
    for package in (package for text in texts for package in _packages(text)):
        known = packages.get(package.name)
        if known is None or _is_newer(package, known):
            packages[package.name] = package
    providers: dict[str, str] = {}
    for name in sorted(packages):
        for virtual in packages[name].provides:
            providers.setdefault(virtual, name)
    return Archive(packages=packages, providers=providers)


def _packages(text: str) -> Iterator[Package]:
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = dict(_FIELD.findall(paragraph))
        name, size = fields.get("Package", ""), fields.get("Size", "")
        if not name or not size.isdecimal():
            continue
        source, _, rest = fields.get("Source", name).partition(" ")
        needs = f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}"
        version = fields.get("Version", "")
        yield Package(
            name=name,
            version=version,
            source=source,
            source_version=rest.strip("()") or version,
            size=int(size),
            section=fields.get("Section", "").rpartition("/")[2],
            essential=fields.get("Essential") == "yes",
            needs=_first_names(needs),
            provides=_first_names(fields.get("Provides", "")),
        )


def _is_newer(one: Package, other: Package) -> bool:
    try:
        difference = compare_versions(one.version, other.version)
    except ValueError:  # one of them is no version
        difference = (one.version > other.version) - (one.version < other.version)
    return difference > 0 or (difference == 0 and repr(one) > repr(other))


def _first_names(relations: str) -> tuple[str, ...]:
    """``a (>= 1) | b, c:any`` → ``a``, ``c``."""
    found = (_NAME.match(relation.strip()) for relation in relations.split(","))
    return tuple(dict.fromkeys(match.group() for match in found if match))
