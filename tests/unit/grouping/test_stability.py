"""Grouping by expected bytes: what a plan keeps still, and what Nixery's rule is a case of."""

from __future__ import annotations

import functools
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.grouping.base import Graph, Knowledge, Node
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.cost import Fleet, common_rate, unseen_rate
from lapstrake.grouping.expected import expected_groups
from lapstrake.grouping.learn import learn_plan
from lapstrake.grouping.moves import settle
from lapstrake.grouping.part import Part
from lapstrake.grouping.plan import Plan, parse_plan, render_plan

BUDGETS = (4, 8, 16, 40)

Layers = set[tuple[str, ...]]


def an_image(chance: random.Random) -> frozenset[str]:
    """A base of 40 packages and parts of some stacks."""
    stacks = [[f"p{n}" for n in range(start, start + 8)] for start in range(40, 160, 8)]
    chosen = (stack[: chance.randint(3, 8)] for stack in chance.sample(stacks, 4))
    return frozenset(f"p{n}" for n in range(40)).union(*chosen)


def a_node(number: int, *, grown: float = 1.0) -> Node:
    size = int((1000 + 1000 * (number * 37 % 991)) * grown)
    return Node(name=f"p{number}", label=f"p{number}", source=f"s{number // 2}", size=size)


NODES = {f"p{number}": a_node(number) for number in range(160)}


@functools.cache
def a_plan() -> Plan:
    chance = random.Random(2)
    learnt = learn_plan(
        [an_image(chance) for _ in range(60)],
        {name: node.source for name, node in NODES.items()},
        Knowledge(
            rates={f"s{n}": n % 7 / 50 for n in range(80) if n % 7},
            sizes={name: node.size for name, node in NODES.items()},
        ),
        budgets=BUDGETS,
    )
    return parse_plan(render_plan(learnt))


def layers(nodes: dict[str, Node], known: Knowledge, budget: int) -> Layers:
    graph = Graph(nodes=nodes, roots=tuple(sorted(nodes)))
    groups = group_packages(graph, known, budget=budget, plan=a_plan())
    return {group.members for group in groups}


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 10**8),
    others=st.lists(st.integers(1, 10**8), max_size=6),
)
def test_an_unrelated_package_changes_at_most_two_layers(
    seed: int, size: int, others: list[int]
) -> None:
    """As long as the plan's layers and those of rare packages fit the budget."""
    nodes = {name: NODES[name] for name in an_image(random.Random(seed))}
    nodes |= {f"rare{n}": Node(name=f"rare{n}", size=one) for n, one in enumerate(others)}
    before = layers(nodes, Knowledge(), 60)
    assert len(before) < 60
    after = layers(nodes | {"new": Node(name="new", size=size)}, Knowledge(), 60)
    assert len(before - after) <= 2


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    bumped=st.integers(0, 79),
    grown=st.floats(0.3, 3),
    rate=st.floats(0, 1),
    budget=st.sampled_from(BUDGETS),
)
def test_an_update_of_one_source_changes_no_group(
    seed: int, bumped: int, grown: float, rate: float, budget: int
) -> None:
    """So only the layers that hold it become others."""
    nodes = {name: NODES[name] for name in an_image(random.Random(seed))}
    updated = {
        name: a_node(int(name[1:]), grown=grown) if node.source == f"s{bumped}" else node
        for name, node in nodes.items()
    }
    known = Knowledge(
        rates={f"s{bumped}": rate},
        sizes={name: node.size for name, node in updated.items()},
    )
    assert layers(updated, known, budget) == layers(nodes, Knowledge(), budget)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 10**6), st.integers(1, 1000)), min_size=1, max_size=30),
    st.integers(1, 12),
)
def test_where_nothing_changes_and_nobody_agrees_it_is_nixerys_rule(
    packages: list[tuple[int, int]], budget: int
) -> None:
    """The highest ratings (size times popularity) are kept, the rest is one layer."""
    ratings = [size * popular for size, popular in packages]
    if len(set(ratings)) < len(ratings):
        return
    names = [f"p{number}" for number in range(len(packages))]
    nodes = {
        name: Node(name=name, label=name, source=name, size=size)
        for name, (size, _) in zip(names, packages, strict=True)
    }
    popularity = {name: float(popular) for name, (_, popular) in zip(names, packages, strict=True)}
    groups = expected_groups(
        Graph(nodes=nodes, roots=()),
        Knowledge(popularity=popularity),
        budget=budget,
        fleet=Fleet(seen=2, repulls=0, layer=0, agreement=0),
    )
    ranked = [name for _, name in sorted(zip(ratings, names, strict=True), reverse=True)]
    kept = len(ranked) if len(ranked) <= budget else budget - 1
    expected = [(name,) for name in ranked[:kept]]
    rest = tuple(sorted(ranked[kept:]))
    assert {group.members for group in groups} == {*expected, *([rest] if rest else [])}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_moves_keep_every_part_and_never_cost_more(data: st.DataObject) -> None:
    fleet = Fleet()
    rates = {f"s{n}": n / 20 for n in range(1, 6)}
    parts = []
    for number in range(data.draw(st.integers(1, 12))):
        size = data.draw(st.integers(0, 10**7))
        chosen = data.draw(st.lists(st.sampled_from(sorted(rates)), max_size=2, unique=True))
        own = {source: rates[source] for source in chosen}
        share, rate = data.draw(st.floats(0, 1)), sum(own.values()) + 0.001
        parts.append(
            Part(
                members=(f"p{number}",),
                size=size,
                rates=own,
                rate=rate,
                share=share,
                cost=fleet.cost(size, rate, share),
                reason="",
            )
        )
    bags: list[list[Part]] = [[] for _ in range(data.draw(st.integers(1, len(parts))))]
    for number, part in enumerate(parts):
        place = number if number < len(bags) else data.draw(st.integers(0, len(bags) - 1))
        bags[place].append(part)
    settled = settle(bags, fleet)
    assert sorted(p.members for bag in settled for p in bag) == sorted(p.members for p in parts)
    assert len(settled) == len(bags)
    assert all(settled)
    assert _price(settled, fleet) <= _price(bags, fleet) * (1 + 1e-6)


def _price(bags: list[list[Part]], fleet: Fleet) -> float:
    total = 0.0
    for bag in bags:
        if len(bag) == 1:
            total += bag[0].cost
            continue
        rates = {source: rate for part in bag for source, rate in part.rates.items()}
        rate = sum(rates.values()) + 0.001 * len(bag)
        total += fleet.cost(sum(part.size for part in bag), rate, 0.0)
    return total


def test_what_never_moved_may_yet() -> None:
    rates = {"often": 0.1, "once": 0.01, "again": 0.01, "elsewhere": 0.01, "still": 0.0}
    resting = [f"quiet{n}" for n in range(8)]
    assert unseen_rate(rates, ["often", "once", "again", "still", *resting]) == 0.01 * 2 / 8
    assert unseen_rate(rates, ["often", "once"]) == 0
    assert unseen_rate(rates, resting) == 0


def test_what_has_one_source_changes_together() -> None:
    assert common_rate({"a": 0.5, "b": 0.25}, {"b": 0.25, "c": 1.0}) == 0.25
    assert common_rate({"a": 0.5}, {"c": 1.0}) == 0


def test_packages_that_the_plan_does_not_know_stay_apart_while_there_is_room() -> None:
    """So an image of one application shares its layer with an image of two."""
    nodes = {name: Node(name=name, source=name, size=1000) for name in ("one", "other")}
    graph = Graph(nodes=nodes, roots=tuple(nodes))
    roomy = group_packages(graph, Knowledge(), budget=2, plan=a_plan())
    tight = group_packages(graph, Knowledge(), budget=1, plan=a_plan())
    assert sorted(group.members for group in roomy) == [("one",), ("other",)]
    assert [group.members for group in tight] == [("one", "other")]
