"""Real graphs of build dependencies: Debian's sources, and a tree of AOSC bundles."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_FIELDS = ("Build-Depends", "Build-Depends-Arch", "Build-Depends-Indep")
_WORD = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)")
_MACHINE = "amd64"


@dataclass(frozen=True)
class Package:
    """A source package: what it makes, what it needs, how large its sources are."""

    name: str
    makes: tuple[str, ...]
    needs: tuple[str, ...]
    size: int


@dataclass(frozen=True)
class SourceGraph:
    """Packages and, for each, the indices of those that are built before.

    Attributes:
        packages: in alphabetical order.
        needs: one tuple of indices for each.
        knotted: how many packages need each other in circles.
        dropped: how many needs were dropped to undo the circles.
    """

    packages: Sequence[Package]
    needs: Sequence[tuple[int, ...]]
    knotted: int
    dropped: int


def debian(sources: Path | None = None) -> SourceGraph:
    """Debian's, by direct build dependencies; the index of the host's own release of Debian.

    Args:
        sources: an index, as apt-helper can read it; nothing to fetch it from the host's mirror.
    """
    with tempfile.TemporaryDirectory() as folder:
        index = sources or _fetch(Path(folder))
        text = _run("/usr/lib/apt/apt-helper", "cat-file", str(index))
    newest = {package.name: package for package in map(_debian_package, _stanzas(text))}
    return graph_of(newest.values())


def tree(folder: Path) -> SourceGraph:
    """A tree of AOSC bundles: what is built with what, and needs what to run."""
    from lapstrake.bundle.find import BundleLocation
    from lapstrake.bundle.read import read
    from lapstrake.bundle.tree import Tree
    from lapstrake.errors import BundleError
    from lapstrake.names import Arch

    found = []
    for place in Tree(folder).bundles:
        try:
            location = BundleLocation(format=place.format, path=place.path, address=place.address)
            bundle = read(location, arch=Arch(_MACHINE))
        except BundleError:
            continue
        words = (*bundle.build_depends.depends, *bundle.runtime_depends)
        needs = tuple(name for word in words for name in _first(word))
        found.append(Package(place.address, bundle.provides, needs, 0))
    return graph_of(found)


def graph_of(packages: Iterable[Package]) -> SourceGraph:
    """Relate packages, and undo circles: within one, what most others need is built first."""
    ordered = sorted(packages, key=lambda package: package.name)
    maker = {word: n for n, package in enumerate(ordered) for word in package.makes}
    edges = {
        (maker[word], number)
        for number, package in enumerate(ordered)
        for word in package.needs
        if maker.get(word, number) != number
    }
    users = Counter(needed for needed, _ in edges)
    knot = _knots(len(ordered), sorted(edges))
    late = {
        (needed, user)
        for needed, user in edges
        if knot[needed] == knot[user] and (-users[needed], needed) > (-users[user], user)
    }
    needs: list[list[int]] = [[] for _ in ordered]
    for needed, user in sorted(edges - late):
        needs[user].append(needed)
    knotted = sum(count for count in Counter(knot).values() if count > 1)
    return SourceGraph(ordered, [tuple(found) for found in needs], knotted, len(late))


def _knots(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """For each package, the number of the circle it is in; the same for those in one circle."""
    starts, ends = zip(*edges, strict=True)
    matrix = coo_array((np.ones(len(edges)), (starts, ends)), shape=(count, count))
    return [int(n) for n in connected_components(matrix, connection="strong")[1]]


def _fetch(folder: Path) -> Path:
    """Debian's index of sources, by apt, into a folder of its own: the host's lists stay."""
    wanted = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN) $(CREATED_BY)"
    for line in _run("apt-get", "indextargets", "--format", wanted).splitlines():
        uri, release, component, origin, kind = line.split()
        if (component, origin, kind) == ("main", "Debian", "Packages") and "-" not in release:
            break
    else:
        raise SystemExit("error: the host has no index of Debian; run apt-get update")
    (folder / "list").write_text(f"deb-src {uri} {release} {component}\n")
    (folder / "lists/partial").mkdir(parents=True)
    settings = ("Dir::Etc::sourcelist=" + str(folder / "list"), "Dir::Etc::sourceparts=-")
    settings += (f"Dir::State::lists={folder}/lists", "APT::Sandbox::User=root")
    _run("apt-get", "update", *(word for setting in settings for word in ("-o", setting)))
    return next((folder / "lists").glob("*_Sources*"))


def _debian_package(stanza: Mapping[str, str]) -> Package:
    needs = [name for field in _FIELDS for name in _words(stanza.get(field, ""))]
    sizes = [int(line.split()[1]) for line in stanza["Checksums-Sha256"].splitlines() if line]
    makes = [word.strip() for word in stanza["Binary"].replace("\n", " ").split(",")]
    return Package(stanza["Package"], tuple(makes), tuple(needs), sum(sizes))


def _words(relations: str) -> Iterator[str]:
    """The first alternative of each relation that counts on this machine, without profiles."""
    for relation in relations.split(","):
        first = relation.split("|")[0]
        wanted = re.search(r"\[([^]]*)\]", first)
        if "<!" in first or not wanted or _MACHINE in wanted[1] or "linux-any" in wanted[1]:
            yield from _first(first)


def _first(relation: str) -> Iterator[str]:
    match = _WORD.match(relation)
    if match:
        yield match[1]


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for stanza in text.split("\n\n"):
        fields = re.findall(r"^([A-Za-z0-9-]+):((?:.*\n?)(?:[ \t].*\n?)*)", stanza, re.M)
        if fields:
            yield {name: value.strip("\n ") for name, value in fields}


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
