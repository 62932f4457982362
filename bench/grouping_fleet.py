"""A fleet of hosts that pull images and pull them again; what travels, for any way of grouping.

Everything is drawn from seeds, and drawn once: all rules see the same hosts, swaps and updates.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lapstrake.grouping.archive import Archive

METADATA = 40_000
"""Bytes of what every image has for itself; travels whenever an image is new or changed."""

PER_LAYER = 2_000
"""Bytes that asking for one layer costs, besides its content."""

_JITTER = 0.02


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """What happens to the fleet.

    Attributes:
        name: ``stable``, ``rolling`` or ``real``.
        updates: source → how many updates it has had by each week.
        pulls: host → week → images that it has then.
        sizes: package → bytes after each number of updates (the last one holds for more).
    """

    name: str
    updates: Mapping[str, Sequence[int]]
    pulls: Sequence[Sequence[Sequence[int]]]
    sizes: Mapping[str, Sequence[int]]


@dataclass(kw_only=True)
class Traffic:
    """What travelled.

    Attributes:
        bytes: all of it.
        layers: how many layers were pulled.
        prefix_bytes: the same for clients that reuse a layer only on top of the very same layers.
        widest: the most layers of an image, that of its own among them.
        mean: layers of an image, that of its own among them.
    """

    bytes: int = 0
    layers: int = 0
    prefix_bytes: int = 0
    widest: int = 0
    mean: float = 0.0
    extra: dict[str, float] = field(default_factory=dict)


def poisson_scenario(
    name: str,
    archive: Archive,
    rates: Mapping[str, float],
    *,
    seed: int,
    images: int,
    hosts: int = 40,
    each: int = 6,
    weeks: int = 26,
    swaps: float = 0.25,
) -> Scenario:
    """Updates at random, each source at its own rate; hosts change an image now and then."""
    chance = random.Random(f"{name} updates {seed}")
    updates = {}
    for source in sorted(rates):
        counts = [0]
        for _ in range(weeks):
            counts.append(counts[-1] + _poisson(chance, rates[source]))
        if counts[-1]:
            updates[source] = counts
    chance = random.Random(f"fleet {seed}")
    pulls = [_history(chance, images, each=each, weeks=weeks, swaps=swaps) for _ in range(hosts)]
    return Scenario(name=name, updates=updates, pulls=pulls, sizes=_jitter(archive, updates, seed))


def real_scenario(
    archive: Archive, later: Archive, *, seed: int, images: int, hosts: int = 40, each: int = 6
) -> Scenario:
    """One pull at the index, one with what a later index has replaced."""
    replaced = {
        package.source
        for name, package in later.packages.items()
        if name in archive.packages and archive.packages[name].version != package.version
    }
    sizes = {
        name: (package.size, later.packages[name].size if name in later.packages else package.size)
        for name, package in archive.packages.items()
    }
    chance = random.Random(f"fleet {seed}")
    pulls = [_history(chance, images, each=each, weeks=1, swaps=0) for _ in range(hosts)]
    updates = dict.fromkeys(sorted(replaced), (0, 1))
    return Scenario(name="real", updates=updates, pulls=pulls, sizes=sizes)


def rolling_rates(
    archive: Archive, *, seed: int, median: float = 1 / 26, spread: float = 1.0
) -> dict[str, float]:
    """Rates of a distribution without releases: lognormal over its sources."""
    chance = random.Random(f"rolling {seed}")
    sources = sorted({package.source for package in archive.packages.values()})
    return {source: median * math.exp(spread * chance.gauss(0, 1)) for source in sources}


def lower_bound(scenario: Scenario, archive: Archive, images: Sequence[frozenset[str]]) -> int:
    """Bytes when every version of a package travels once to each host that needs it.

    No way of grouping whole packages can do with less, and no one can reach it: neither what every
    image has for itself nor the cost of asking for layers is in it.
    """
    total = 0
    packages = archive.packages
    for host in scenario.pulls:
        has: set[tuple[str, int]] = set()
        for week, held in enumerate(host):
            for image in held:
                for name in images[image]:
                    count = _count(scenario, packages[name].source, week)
                    if (name, count) not in has:
                        has.add((name, count))
                        total += _size(scenario, archive, name, count)
    return total


def simulate(
    scenario: Scenario, archive: Archive, layered: Sequence[Sequence[Sequence[str]]]
) -> Traffic:
    """Let the fleet pull.

    Args:
        scenario: what happens.
        archive: sizes and sources.
        layered: for each image its layers, lowest first.
    """
    weeks = len(scenario.pulls[0])
    chains: dict[tuple[int, object], int] = {}
    states = [
        [_chained(state, chains) for state in _states(scenario, archive, layers, weeks)]
        for layers in _interned(layered)
    ]
    traffic = Traffic(
        widest=max(map(len, layered)) + 1,
        mean=sum(map(len, layered)) / len(layered) + 1,
    )
    for host in scenario.pulls:
        has: set[object] = set()
        for week, held in enumerate(host):
            for image in held:
                _pull(traffic, states[image][week], has)
    return traffic


Layer = tuple[tuple[int, int], int]
"""A layer's identity (which members, after how many updates) and its bytes."""

Link = tuple[tuple[int, int], int, int]
"""The same, and the number of the chain of layers that ends with it."""


def _chained(layers: Sequence[Layer], chains: dict[tuple[int, object], int]) -> list[Link]:
    links, last = [], -1
    for identity, size in layers:
        last = chains.setdefault((last, identity), len(chains))
        links.append((identity, size, last))
    return links


def _pull(traffic: Traffic, layers: Sequence[Link], has: set[object]) -> None:
    whole = ("image", layers[-1][2])
    if whole in has:
        return
    has.add(whole)
    traffic.bytes += METADATA
    traffic.prefix_bytes += METADATA
    for identity, size, chain in layers:
        if identity not in has:
            has.add(identity)
            traffic.bytes += size + PER_LAYER
            traffic.layers += 1
        if chain not in has:
            has.add(chain)
            traffic.prefix_bytes += size + PER_LAYER


def _interned(
    layered: Sequence[Sequence[Sequence[str]]],
) -> list[list[tuple[int, tuple[str, ...]]]]:
    numbers: dict[tuple[str, ...], int] = {}
    return [
        [
            (numbers.setdefault(key, len(numbers)), key)
            for key in (tuple(sorted(one)) for one in layers)
        ]
        for layers in layered
    ]


def _states(
    scenario: Scenario,
    archive: Archive,
    layers: Sequence[tuple[int, tuple[str, ...]]],
    weeks: int,
) -> list[list[Layer]]:
    """The layers of one image in each week; counts only grow, so their sum tells states apart."""
    packages = archive.packages
    by_week: list[list[Layer]] = [[] for _ in range(weeks)]
    for number, members in layers:
        sources = {packages[name].source for name in members} & scenario.updates.keys()
        known: dict[int, int] = {}
        for week in range(weeks):
            state = sum(scenario.updates[source][week] for source in sources)
            if state not in known:
                known[state] = sum(
                    _size(scenario, archive, name, _count(scenario, packages[name].source, week))
                    for name in members
                )
            by_week[week].append(((number, state), known[state]))
    return by_week


def _count(scenario: Scenario, source: str, week: int) -> int:
    counts = scenario.updates.get(source)
    return counts[week] if counts else 0


def _size(scenario: Scenario, archive: Archive, name: str, count: int) -> int:
    sizes = scenario.sizes.get(name)
    return sizes[min(count, len(sizes) - 1)] if sizes else archive.packages[name].size


def _jitter(
    archive: Archive, updates: Mapping[str, Sequence[int]], seed: int
) -> dict[str, tuple[int, ...]]:
    sizes = {}
    for name, package in archive.packages.items():
        counts = updates.get(package.source)
        if counts:
            chance = random.Random(f"size {seed} {name}")
            changed = (
                max(1, round(package.size * (1 + _JITTER * chance.gauss(0, 1))))
                for _ in range(counts[-1])
            )
            sizes[name] = (package.size, *changed)
    return sizes


def _history(
    chance: random.Random, images: int, *, each: int, weeks: int, swaps: float
) -> list[list[int]]:
    held = chance.sample(range(images), each)
    history = [list(held)]
    for _ in range(weeks):
        if chance.random() < swaps:
            held[chance.randrange(each)] = chance.choice(
                [image for image in range(images) if image not in held]
            )
        history.append(list(held))
    return history


def _poisson(chance: random.Random, mean: float) -> int:
    """Knuth's way; means are small."""
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
