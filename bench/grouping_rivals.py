"""Other rules of grouping, written from how they behave; only to be compared with."""

# ruff: noqa: ARG001 - all rules are called alike

from __future__ import annotations

import hashlib
import math
import statistics
from collections.abc import Mapping, Sequence

from lapstrake.grouping.base import Graph, Knowledge
from lapstrake.grouping.nixery import reached

Layers = list[list[str]]


def single(graph: Graph, knowledge: Knowledge, budget: int) -> Layers:
    """Everything in one layer."""
    return [sorted(graph.nodes)]


def one_per_source(graph: Graph, knowledge: Knowledge, budget: int) -> Layers:
    """A layer for each source, however many that are."""
    return [names for _, names in sorted(_by_source(graph).items())]


def apko(graph: Graph, knowledge: Knowledge, budget: int) -> Layers:
    """By source; the largest ones alone, the rest together."""
    groups = _by_source(graph)
    ranked = sorted(groups, key=lambda source: (-_size(graph, groups[source]), source))
    return _keep([groups[source] for source in ranked], budget)


def chunkah(graph: Graph, knowledge: Knowledge, budget: int) -> Layers:
    """By source; unusually large ones alone; the rest by hash in three tiers of stability."""
    groups = _by_source(graph)
    sizes = {source: _size(graph, names) for source, names in groups.items()}
    middle = statistics.median(sizes.values())
    spread = statistics.median(abs(size - middle) for size in sizes.values())
    ranked = sorted(groups, key=lambda source: (-sizes[source], source))
    large = [one for one in ranked if sizes[one] > middle + 1.5 * spread][: int(budget * 0.8)]
    rest = [one for one in ranked if one not in set(large)]
    layers = [groups[source] for source in large]
    bins = max(1, budget - len(layers))
    stable = {one: math.exp(-knowledge.rates.get(one, 0.0)) for one in rest}
    tiers = [
        [one for one in rest if stable[one] >= 0.99],
        [one for one in rest if 0.95 <= stable[one] < 0.99],
        [one for one in rest if stable[one] < 0.95],
    ]
    tiers = [tier for tier in tiers if tier]
    if bins < len(tiers):
        tiers = [rest]
    shares = [max(1, bins * len(tier) // max(1, len(rest))) for tier in tiers]
    for tier, share in zip(tiers, shares, strict=True):
        slots: dict[int, list[str]] = {}
        for source in tier:
            digest = hashlib.sha256(source.encode()).digest()
            slots.setdefault(int.from_bytes(digest[:8], "big") % share, []).extend(groups[source])
        layers += [slots[slot] for slot in sorted(slots)]
    return _keep(layers, budget)


def docker_tools(graph: Graph, knowledge: Knowledge, budget: int) -> Layers:
    """The packages that most others need alone, the rest together."""
    sets, number = reached(graph), {name: n for n, name in enumerate(graph.nodes)}
    for name in graph.nodes:
        sets[name] &= ~(1 << number[name])
    columns = sets.values()
    needed = {name: sum(bits >> number[name] & 1 for bits in columns) for name in graph.nodes}
    ranked = sorted(graph.nodes, key=lambda name: (-needed[name], name))
    return _keep([[name] for name in ranked], budget)


def _keep(layers: Sequence[list[str]], budget: int) -> Layers:
    if len(layers) <= budget:
        return list(layers)
    return [*layers[: budget - 1], [name for names in layers[budget - 1 :] for name in names]]


def _by_source(graph: Graph) -> Mapping[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in sorted(graph.nodes):
        groups.setdefault(graph.nodes[name].source, []).append(name)
    return groups


def _size(graph: Graph, names: Sequence[str]) -> int:
    return sum(graph.nodes[name].size for name in names)
