"""Nixery's rule: dominators of a closure, rated by popularity and size, the low rated ones joined.

The same sets as Nixery's own program makes (its ``builder/layers.go`` as of September 2025), but
members are sorted, and equal ratings are told apart by the members' names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress

from lapstrake.grouping.base import Graph, Group, Knowledge, Node
from lapstrake.grouping.dominators import immediate_dominators

POPULAR = 100
"""From this popularity on, a package is always worth a layer."""

LARGE = 100_000_000
"""A closure of more bytes than this is always worth a layer."""

_EVERYWHERE = ("nss-cacert", "iana-etc")  # Nixery puts these into every image
_EVERYWHERE_POPULARITY = 500_000.0
_ROOT = ""
_ONES = bytes.maketrans(b"01", bytes((0, 1)))


def nixery_groups(graph: Graph, knowledge: Knowledge, *, budget: int) -> tuple[Group, ...]:
    """Group as Nixery does.

    Args:
        graph: the closure; `Node.closure_size` counts where it is known.
        knowledge: the popularity; its other tables are not looked at.
        budget: the most groups, at least 1.

    Returns:
        The groups, highest rating first: every dominator below the root with all that it
        dominates; beyond the budget, the lowest rated ones are one group.
    """
    popularity = {name: _popularity(node, knowledge) for name, node in graph.nodes.items()}
    closures = closure_sizes(graph)
    edges = _edges(graph, popularity, closures)
    groups = []
    for head, members in _below_root(immediate_dominators(edges, _ROOT)).items():
        size = sum(closures[name] for name in members)
        reason = f"{head} and what only it needs" if len(members) > 1 else f"{head} alone"
        rating = popularity[head] * size
        groups.append(Group(members=tuple(sorted(members)), reason=reason, rating=rating))
    return _within(groups, budget)


def _popularity(node: Node, knowledge: Knowledge) -> float:
    label = node.label or node.name
    if label.startswith(_EVERYWHERE):
        return _EVERYWHERE_POPULARITY
    return knowledge.popularity.get(label, 1)


def _edges(
    graph: Graph, popularity: Mapping[str, float], closures: Mapping[str, int]
) -> dict[str, list[str]]:
    nodes = graph.nodes
    worthy = [
        name for name in sorted(nodes) if closures[name] > LARGE or popularity[name] >= POPULAR
    ]
    edges = {
        name: [other for other in node.references if other != name and other in nodes]
        for name, node in nodes.items()
    }
    edges[_ROOT] = [*(name for name in sorted(graph.roots) if name in nodes), *worthy]
    reached = set(immediate_dominators(edges, _ROOT))
    # A graph whose roots do not reach everything would lose packages.
    edges[_ROOT] += [name for name in sorted(nodes) if name not in reached]
    return edges


def _below_root(above: Mapping[str, str]) -> dict[str, list[str]]:
    """Gather the subtrees of the dominator tree below the root; `above` goes from the root down."""
    head: dict[str, str] = {}
    members: dict[str, list[str]] = {}
    for name, dominator in above.items():
        if name == _ROOT:
            continue
        head[name] = name if dominator == _ROOT else head[dominator]
        members.setdefault(head[name], []).append(name)
    return members


def _within(groups: Sequence[Group], budget: int) -> tuple[Group, ...]:
    ranked = sorted(groups, key=lambda group: (-group.rating, group.members))
    if len(ranked) <= budget:
        return tuple(ranked)
    rest = ranked[budget - 1 :]
    bag = Group(
        members=tuple(sorted(name for group in rest for name in group.members)),
        reason=f"the {len(rest)} lowest rated, together",
        rating=sum(group.rating for group in rest),
    )
    return tuple(sorted([*ranked[: budget - 1], bag], key=lambda one: (-one.rating, one.members)))


def closure_sizes(graph: Graph) -> dict[str, int]:
    """Bytes of all that each node reaches; summed up where the graph does not tell them."""
    nodes = graph.nodes
    known = {name: node.closure_size for name, node in nodes.items()}
    if all(known.values()):
        return known
    sizes = [node.size for node in nodes.values()]
    for name, bits in reached(graph).items():
        if not known[name]:
            chosen = f"{bits:b}"[::-1].encode().translate(_ONES)
            known[name] = sum(compress(sizes, chosen))
    return known


def reached(graph: Graph) -> dict[str, int]:
    """What each node reaches, itself included: a bit for each node, in the graph's order."""
    nodes = graph.nodes
    sets = {name: 1 << number for number, name in enumerate(nodes)}
    below = {
        name: [other for other in node.references if other in nodes and other != name]
        for name, node in nodes.items()
    }
    grows = True
    while grows:  # as often as the longest way is long; there may be circles
        grows = False
        for name, others in below.items():
            bits = sets[name]
            for other in others:
                bits |= sets[other]
            if bits != sets[name]:
                sets[name], grows = bits, True
    return sets
