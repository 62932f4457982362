"""Dominators of a graph of references: what nobody reaches but through one node."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

Vertex = TypeVar("Vertex", bound=Hashable)


def immediate_dominators(
    successors: Mapping[Vertex, Sequence[Vertex]], root: Vertex
) -> dict[Vertex, Vertex]:
    """Find the immediate dominator of each vertex that the root reaches.

    The algorithm is Cooper's, Harvey's and Kennedy's (*A Simple, Fast Dominance Algorithm*, 2001).

    Args:
        successors: the edges; a vertex without a key has none.
        root: where all paths start; it is its own dominator in the answer.

    Returns:
        Vertex → immediate dominator, in reverse postorder.
    """
    order = list(_postorder(successors, root))[::-1]
    number = {vertex: position for position, vertex in enumerate(order)}
    predecessors: list[list[int]] = [[] for _ in order]
    for vertex in order:
        for successor in successors.get(vertex, ()):
            predecessors[number[successor]].append(number[vertex])
    above = _solve(predecessors)
    return {vertex: order[above[position]] for position, vertex in enumerate(order)}


def _solve(predecessors: Sequence[Sequence[int]]) -> list[int]:
    """Vertices are numbers in reverse postorder, so a dominator's is never the larger one."""
    unknown = -1
    above = [0] + [unknown] * (len(predecessors) - 1)
    changed = True
    while changed:
        changed = False
        for vertex in range(1, len(predecessors)):
            best = unknown
            for predecessor in predecessors[vertex]:
                if above[predecessor] == unknown:
                    continue
                best = predecessor if best == unknown else _meet(above, predecessor, best)
            if above[vertex] != best:
                above[vertex] = best
                changed = True
    return above


def _meet(above: Sequence[int], one: int, two: int) -> int:
    while one != two:
        while one > two:
            one = above[one]
        while two > one:
            two = above[two]
    return one


def _postorder(successors: Mapping[Vertex, Sequence[Vertex]], root: Vertex) -> Iterator[Vertex]:
    """Depth first without recursion: chains of references are longer than Python's stack."""
    seen = {root}
    path: list[tuple[Vertex, Iterator[Vertex]]] = [(root, iter(successors.get(root, ())))]
    while path:
        vertex, rest = path[-1]
        for successor in rest:
            if successor not in seen:
                seen.add(successor)
                path.append((successor, iter(successors.get(successor, ()))))
                break
        else:
            path.pop()
            yield vertex
