"""The one door to grouping: an exact partition of a closure into at most so many groups."""

from __future__ import annotations

from enum import StrEnum

from lapstrake.errors import UsageError
from lapstrake.grouping.base import Graph, Group, Knowledge
from lapstrake.grouping.expected import expected_groups
from lapstrake.grouping.nixery import nixery_groups
from lapstrake.grouping.plan import Plan


class Rule(StrEnum):
    """How packages are put into groups; the words of ``[images] strategy``."""

    EXPECTED = "expected"
    NIXERY = "nixery"


def group_packages(
    graph: Graph,
    knowledge: Knowledge,
    *,
    budget: int,
    strategy: str = Rule.EXPECTED,
    plan: Plan | None = None,
) -> tuple[Group, ...]:
    """Put the packages of a closure into groups, each of which becomes a layer.

    Neither the order of the graph's nodes nor the seed of Python's hashes changes the answer.

    Args:
        graph: the closure.
        knowledge: what is known of its packages; what a plan knows goes first.
        budget: the most groups.
        strategy: a `Rule`.
        plan: what was learnt from other images; Nixery's rule does not look at it.

    Returns:
        Every node in exactly one group, members sorted, highest rating first.

    Raises:
        UsageError: no layer may be made, or nobody knows the strategy.
    """
    if budget < 1:
        raise UsageError(f"a budget of {budget} layers is none", resolution="Allow at least 1.")
    try:
        rule = Rule(strategy)
    except ValueError:
        words = ", ".join(Rule)
        raise UsageError(f"no strategy {strategy!r}", resolution=f"Use one of: {words}.") from None
    if not graph.nodes:
        return ()
    if rule is Rule.NIXERY:
        return nixery_groups(graph, knowledge, budget=budget)
    return expected_groups(graph, knowledge, budget=budget, plan=plan)
