"""Where the members of a group stand in its picture: layers from left to right.

A member's layer is the length of the longest path to it, so all arrows point to the right; within
layers, the order is improved by the mean of the neighbours' places until arrows cross less no
more (Sugiyama, Tagawa and Toda 1981, simplified). What follows from other arrows is not drawn.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Node = tuple[str, int]
"""A member's name and its layer; arrows that pass layers have a place there, too."""

_SWEEPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A picture of a graph, in columns and rows.

    Attributes:
        places: member → (column, row); rows may be fractions.
        arrows: for each, the places that it passes.
        columns, rows: how many there are.
    """

    places: Mapping[str, tuple[int, float]]
    arrows: tuple[tuple[tuple[int, float], ...], ...]
    columns: int
    rows: float


def layout(needs: Mapping[str, Iterable[str]]) -> Layout:
    """Place the members of a graph.

    Args:
        needs: for each member those it needs; no circles, names that are no members are left out.
    """
    graph = {
        name: sorted({each for each in wanted if each in needs}) for name, wanted in needs.items()
    }
    order = _order(graph)
    depth: dict[str, int] = {}
    for name in order:
        depth[name] = 1 + max((depth[each] for each in graph[name]), default=-1)
    paths = [
        [(source, depth[source]), *_passed(source, name, depth), (name, depth[name])]
        for name, sources in _reduced(graph, order).items()
        for source in sources
    ]
    columns = _columns(order, depth, paths)
    before, after = _neighbours(paths)
    columns = _untangled(columns, before, after)
    rows = _rows(columns, before, after)
    least = min(rows.values(), default=0.0)
    rows = {node: row - least for node, row in rows.items()}
    return Layout(
        places={name: (depth[name], rows[name, depth[name]]) for name in order},
        arrows=tuple(tuple((node[1], rows[node]) for node in path) for path in paths),
        columns=len(columns),
        rows=1 + max(rows.values(), default=-1.0),
    )


def _order(graph: Mapping[str, Sequence[str]]) -> list[str]:
    """All members, each after what it needs."""
    order: list[str] = []
    seen: set[str] = set()
    for root in graph:
        stack = [(root, iter(graph[root]))] if root not in seen else []
        seen.add(root)
        while stack:
            name, rest = stack[-1]
            step = next((each for each in rest if each not in seen), None)
            if step is None:
                order.append(name)
                stack.pop()
            else:
                seen.add(step)
                stack.append((step, iter(graph[step])))
    return order


def _reduced(graph: Mapping[str, Sequence[str]], order: Sequence[str]) -> dict[str, list[str]]:
    """The needs that do not follow from others; sets of members are bits of numbers."""
    bit = {name: 1 << place for place, name in enumerate(order)}
    below: dict[str, int] = {}
    for name in order:
        below[name] = 0
        for each in graph[name]:
            below[name] |= bit[each] | below[each]
    kept = {}
    for name in order:
        indirect = 0
        for each in graph[name]:
            indirect |= below[each]
        kept[name] = [each for each in graph[name] if not bit[each] & indirect]
    return kept


def _passed(source: str, name: str, depth: Mapping[str, int]) -> list[Node]:
    label = f"{source}\0{name}"
    return [(label, layer) for layer in range(depth[source] + 1, depth[name])]


def _columns(
    order: Sequence[str], depth: Mapping[str, int], paths: Sequence[Sequence[Node]]
) -> list[list[Node]]:
    columns: list[list[Node]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for name in order:
        columns[depth[name]].append((name, depth[name]))
    for path in paths:
        for node in path[1:-1]:
            columns[node[1]].append(node)
    return columns


Neighbours = Mapping[Node, Sequence[Node]]


def _neighbours(paths: Sequence[Sequence[Node]]) -> tuple[Neighbours, Neighbours]:
    """The nodes to the left and to the right of each."""
    before: dict[Node, list[Node]] = {}
    after: dict[Node, list[Node]] = {}
    for path in paths:
        for left, right in itertools.pairwise(path):
            before.setdefault(right, []).append(left)
            after.setdefault(left, []).append(right)
    return before, after


def _untangled(
    columns: list[list[Node]], before: Neighbours, after: Neighbours
) -> list[list[Node]]:
    best, least = columns, _crossings(columns, after)
    for sweep in range(_SWEEPS):
        if not least:
            break
        neighbours = before if sweep % 2 == 0 else after
        around = range(1, len(columns)) if sweep % 2 == 0 else range(len(columns) - 2, -1, -1)
        columns = list(columns)
        for layer in around:
            beside = columns[layer - 1 if sweep % 2 == 0 else layer + 1]
            columns[layer] = _sorted_by_mean(columns[layer], beside, neighbours)
        if (crossings := _crossings(columns, after)) < least:
            best, least = columns, crossings
    return best


def _sorted_by_mean(
    column: Sequence[Node], beside: Sequence[Node], neighbours: Neighbours
) -> list[Node]:
    """A column in the order of its neighbours' means; who has none keeps its place."""
    places = {node: place for place, node in enumerate(beside)}

    def mean(place: int) -> float:
        known = neighbours.get(column[place], ())
        return sum(places[node] for node in known) / len(known) if known else float(place)

    return [column[place] for place in sorted(range(len(column)), key=mean)]


def _crossings(columns: Sequence[Sequence[Node]], after: Neighbours) -> int:
    """How many pairs of arrows cross: inversions of the right ends in the order of the left."""
    total = 0
    for left, right in itertools.pairwise(columns):
        places = {node: place for place, node in enumerate(right)}
        ends: list[int] = []
        for node in left:
            for end in (mine := sorted(places[each] for each in after.get(node, ()))):
                total += len(ends) - bisect_left(ends, end + 1)
            for end in mine:
                insort(ends, end)
    return total


def _rows(
    columns: Sequence[Sequence[Node]], before: Neighbours, after: Neighbours
) -> dict[Node, float]:
    """Rows near the neighbours' mean, at least one apart, in the order of the columns."""
    rows = {node: float(place) for column in columns for place, node in enumerate(column)}
    for sweep in range(_SWEEPS):
        for column in columns if sweep % 2 == 0 else reversed(columns):
            wanted = [_mean_row(node, rows, before, after) for node in column]
            for node, row in zip(column, _apart(wanted), strict=True):
                rows[node] = row
    return rows


def _mean_row(
    node: Node, rows: Mapping[Node, float], before: Neighbours, after: Neighbours
) -> float:
    around = [*before.get(node, ()), *after.get(node, ())]
    return sum(rows[each] for each in around) / len(around) if around else rows[node]


def _apart(wanted: Sequence[float]) -> list[float]:
    """Rows in the same order, each at least one below the last, moved as little as it takes."""
    down, up = list(wanted), list(wanted)
    for place in range(1, len(down)):
        down[place] = max(down[place], down[place - 1] + 1)
    for place in range(len(up) - 2, -1, -1):
        up[place] = min(up[place], up[place + 1] - 1)
    return [(low + high) / 2 for low, high in zip(down, up, strict=True)]
