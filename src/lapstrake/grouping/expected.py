"""Groups priced by expected bytes."""

from __future__ import annotations

from lapstrake.grouping.base import Graph, Group, Knowledge
from lapstrake.grouping.plan import Plan


def expected_groups(
    graph: Graph, knowledge: Knowledge, *, budget: int, plan: Plan | None = None
) -> tuple[Group, ...]:
    """Group by source, the largest ones first, the rest together."""
    sources: dict[str, list[str]] = {}
    for name, node in graph.nodes.items():
        sources.setdefault(node.source or name, []).append(name)
    sizes = {
        source: sum(graph.nodes[name].size for name in names) for source, names in sources.items()
    }
    ranked = sorted(sources, key=lambda source: (-sizes[source], source))
    sets = [sources[source] for source in ranked]
    if len(sets) > budget:
        sets = [*sets[: budget - 1], [name for names in sets[budget - 1 :] for name in names]]
    groups = [
        Group(
            members=tuple(sorted(names)),
            reason="one source" if len(names) > 1 else names[0],
            rating=sum(graph.nodes[name].size for name in names),
        )
        for names in sets
    ]
    return tuple(sorted(groups, key=lambda group: (-group.rating, group.members)))
