"""Grouping: exact partitions, Nixery's rule, plans, whatever the order of the input."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.errors import ConfigError, UsageError
from lapstrake.grouping.base import Graph, Group, Knowledge, Node
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.dominators import immediate_dominators
from lapstrake.grouping.learn import learn_plan
from lapstrake.grouping.nixery import nixery_groups
from lapstrake.grouping.picture import draw
from lapstrake.grouping.plan import Plan, parse_plan, render_plan
from lapstrake.grouping.references import parse_popularity, parse_references, render_layers

STRATEGIES = ("expected", "nixery")


@st.composite
def closures(draw: st.DrawFn) -> tuple[Graph, Knowledge]:
    """Any graph, cycles and self references among it, and anything known of it."""
    names = [f"p{number}" for number in range(draw(st.integers(1, 24)))]
    some = st.lists(st.sampled_from(names), max_size=4, unique=True)
    nodes = {
        name: Node(
            name=name,
            label=name,
            source=f"s{draw(st.integers(0, 9))}",
            size=draw(st.integers(0, 10**8)),
            references=tuple(draw(some)),
        )
        for name in names
    }
    roots = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    popularity = draw(st.dictionaries(st.sampled_from(names), st.integers(1, 300), max_size=8))
    rates = draw(st.dictionaries(st.sampled_from([f"s{n}" for n in range(10)]), st.floats(0, 1)))
    known = Knowledge(popularity=popularity, rates=rates)
    return Graph(nodes=nodes, roots=tuple(roots)), known


def a_world(seed: int, count: int) -> tuple[list[frozenset[str]], dict[str, Node]]:
    """Images of a base and some stacks of packages."""
    chance = random.Random(seed)
    nodes = {
        f"p{n}": Node(name=f"p{n}", label=f"p{n}", source=f"s{n // 2}", size=1000 * (n * 37 % 991))
        for n in range(160)
    }
    stacks = [[f"p{n}" for n in range(s, s + 8)] for s in range(40, 160, 8)]
    base = [f"p{n}" for n in range(40)]
    images = [
        frozenset(base).union(
            *(stack[: chance.randint(3, 8)] for stack in chance.sample(stacks, 4))
        )
        for _ in range(count)
    ]
    return images, nodes


def graph_of(image: frozenset[str], nodes: dict[str, Node]) -> Graph:
    return Graph(nodes={name: nodes[name] for name in image}, roots=tuple(sorted(image)))


@pytest.fixture(scope="module")
def world() -> tuple[list[frozenset[str]], dict[str, Node], Plan]:
    """Images, packages, and a plan that was learnt from other images."""
    images, nodes = a_world(1, 60)
    known = Knowledge(
        rates={f"s{n}": n % 7 / 50 for n in range(80)},
        sizes={name: node.size for name, node in nodes.items()},
    )
    others, _ = a_world(2, 60)
    sources = {name: node.source for name, node in nodes.items()}
    learnt = learn_plan(others, sources, known, budgets=[8, 16])
    return images, nodes, parse_plan(render_plan(learnt))


@settings(max_examples=60, deadline=None)
@given(closures(), st.integers(1, 12), st.sampled_from(STRATEGIES), st.randoms())
def test_a_partition_within_the_budget_in_any_order(
    closure: tuple[Graph, Knowledge], budget: int, strategy: str, chance: random.Random
) -> None:
    graph, known = closure
    groups = group_packages(graph, known, budget=budget, strategy=strategy)
    assert sorted(name for group in groups for name in group.members) == sorted(graph.nodes)
    assert len(groups) <= budget
    assert all(list(group.members) == sorted(group.members) for group in groups)
    assert [group.rating for group in groups] == sorted(
        (group.rating for group in groups), reverse=True
    )
    names = list(graph.nodes)
    chance.shuffle(names)
    again = Graph(nodes={name: graph.nodes[name] for name in names}, roots=graph.roots[::-1])
    assert group_packages(again, known, budget=budget, strategy=strategy) == groups


@settings(max_examples=60, deadline=None)
@given(closures())
def test_dominators_are_what_every_path_goes_through(closure: tuple[Graph, Knowledge]) -> None:
    graph, _ = closure
    edges = {name: node.references for name, node in graph.nodes.items()}
    edges["root"] = graph.roots
    above = immediate_dominators(edges, "root")
    for vertex in above.keys() - {"root"}:
        reached = _reached_without(edges, above, vertex)
        for other in above.keys() - {vertex}:
            assert (other not in reached) == (vertex in _chain(above, other))


def _chain(above: dict[str, str], name: str) -> set[str]:
    chain = {name}
    while name != above[name]:
        name = above[name]
        chain.add(name)
    return chain


def _reached_without(
    edges: dict[str, tuple[str, ...]], known: dict[str, str], gone: str
) -> set[str]:
    seen, waiting = {"root"}, ["root"]
    while waiting:
        fresh = set(edges.get(waiting.pop(), ())) - seen - {gone}
        seen |= fresh
        waiting += sorted(fresh)
    return seen & known.keys()


@settings(max_examples=60, deadline=None)
@given(closures(), st.integers(1, 8))
def test_nixery_keeps_the_highest_rated_and_bags_the_rest(
    closure: tuple[Graph, Knowledge], budget: int
) -> None:
    graph, known = closure
    everything = nixery_groups(graph, known, budget=len(graph.nodes))
    assert _looped(everything, budget) == {
        group.members for group in nixery_groups(graph, known, budget=budget)
    }


def _looped(groups: tuple[Group, ...], budget: int) -> set[tuple[str, ...]]:
    """Rows 41 to 43 of the research, step by step."""
    bags = [(set(group.members), group.rating) for group in reversed(groups)]
    while len(bags) > budget:
        (one, rating), (two, more), *rest = bags
        bags = [(one | two, rating + more), *rest]
    return {tuple(sorted(members)) for members, _ in bags}


def test_nixery_makes_a_shared_package_a_layer_of_its_own() -> None:
    references = {"top": ("left", "right"), "left": ("low",), "right": ("low", "own"), "low": ()}
    nodes = {
        name: Node(name=name, label=name, size=10, references=references.get(name, ()))
        for name in (*references, "own")
    }
    graph = Graph(nodes=nodes, roots=("left", "right"))
    groups = nixery_groups(graph, Knowledge(), budget=9)
    assert {group.members for group in groups} >= {("left",), ("low",), ("own", "right")}


@pytest.mark.parametrize(("popularity", "own"), [(99, False), (100, True)])
def test_nixery_popular_from_one_hundred(popularity: int, own: bool) -> None:
    nodes = {
        "a": Node(name="a", label="a", size=1, references=("b",)),
        "b": Node(name="b", label="b", size=1),
    }
    known = Knowledge(popularity={"b": popularity})
    groups = nixery_groups(Graph(nodes=nodes, roots=("a",)), known, budget=9)
    assert (len(groups) == 2) is own


@pytest.mark.parametrize(("size", "own"), [(100_000_000, False), (100_000_001, True)])
def test_nixery_large_above_one_hundred_megabytes(size: int, own: bool) -> None:
    nodes = {
        "a": Node(name="a", label="a", closure_size=1, references=("b",)),
        "b": Node(name="b", label="b", closure_size=size),
    }
    groups = nixery_groups(Graph(nodes=nodes, roots=("a",)), Knowledge(), budget=9)
    assert (len(groups) == 2) is own


def test_a_planned_image_is_partitioned(
    world: tuple[list[frozenset[str]], dict[str, Node], Plan],
) -> None:
    images, nodes, plan = world
    for budget in (1, 4, 8, 16, 30):
        for image in images:
            groups = group_packages(graph_of(image, nodes), Knowledge(), budget=budget, plan=plan)
            assert sorted(n for group in groups for n in group.members) == sorted(image)
            assert len(groups) <= budget


def test_images_agree_better_with_a_plan(
    world: tuple[list[frozenset[str]], dict[str, Node], Plan],
) -> None:
    images, nodes, plan = world

    def different(chosen: Plan | None) -> int:
        known = plan.knowledge
        return len(
            {
                group.members
                for image in images
                for group in group_packages(graph_of(image, nodes), known, budget=16, plan=chosen)
            }
        )

    assert different(plan) < different(None)


def test_an_update_changes_no_group(
    world: tuple[list[frozenset[str]], dict[str, Node], Plan],
) -> None:
    images, nodes, plan = world
    before = graph_of(images[0], nodes)
    grown = {
        name: Node(name=name, label=name, source=node.source, size=node.size * 3 // 2)
        for name, node in before.nodes.items()
    }
    after = Graph(nodes=grown, roots=before.roots)
    assert group_packages(after, Knowledge(), budget=8, plan=plan) == group_packages(
        before, Knowledge(), budget=8, plan=plan
    )


def test_a_plan_comes_back_from_its_file(
    world: tuple[list[frozenset[str]], dict[str, Node], Plan],
) -> None:
    plan = world[2]
    assert parse_plan(render_plan(plan)) == plan
    assert len(plan.digest) == 64


@pytest.mark.parametrize("data", [b"{", b"[]", b"\xff", b'{"version": 1}', b'{"version": 2}'])
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    with pytest.raises(ConfigError, match=r"plan\.json"):
        parse_plan(data, name="plan.json")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_seed_of_hashes_changes_nothing(strategy: str) -> None:
    program = (
        "from lapstrake.grouping.base import *\n"
        "from lapstrake.grouping.choose import group_packages\n"
        "names = {f'p{n}' for n in range(60)}\n"
        "nodes = {n: Node(name=n, source=n[:2], size=hash(n) * 0 + 7,"
        " references=('p1', 'p2')) for n in names}\n"
        "graph = Graph(nodes=nodes, roots=tuple(names))\n"
        f"print(group_packages(graph, Knowledge(), budget=7, strategy={strategy!r}))\n"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1


def test_a_graph_of_references() -> None:
    one, two = "/nix/store/aaa-hello-2.12", "/nix/store/bbb-glibc-2.38"
    document = {
        "exportReferencesGraph": {"graph": [one]},
        "graph": [
            {"path": one, "closureSize": 30, "narSize": 10, "references": [one, two]},
            {"path": two, "closureSize": 20, "references": []},
        ],
    }
    graph = parse_references(json.dumps(document), name=".attrs.json")
    assert graph.roots == (one,)
    assert graph.nodes[one].label == "hello-2.12"
    groups = group_packages(graph, Knowledge(), budget=9, strategy="nixery")
    assert json.loads(render_layers(groups)) == [{"contents": [one, two]}]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('{"graph": [', r"g\.json:1:12"),
        ("[]", r"g\.json: no list"),
        ('{"graph": [{}]}', r"g\.json: graph\[0\]"),
        ('{"graph": [{"path": "a", "references": ["b"]}]}', r"g\.json: a refers to b"),
        ('{"graph": [{"path": "a", "closureSize": -1}]}', r"closureSize"),
        ('{"graph": [], "exportReferencesGraph": {"graph": ["x"]}}', r"x is exported"),
    ],
)
def test_bad_graphs_are_named(text: str, where: str) -> None:
    with pytest.raises(UsageError, match=where):
        parse_references(text, name="g.json")


@pytest.mark.parametrize("text", ["[]", '{"a": "x"}', "nonsense"])
def test_bad_popularity_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=r"p\.json"):
        parse_popularity(text, name="p.json")


@pytest.mark.parametrize(("budget", "strategy"), [(0, "nixery"), (3, "other")])
def test_senseless_requests(budget: int, strategy: str) -> None:
    graph = Graph(nodes={"a": Node(name="a")}, roots=("a",))
    with pytest.raises(UsageError):
        group_packages(graph, Knowledge(), budget=budget, strategy=strategy)


def test_a_picture_is_well_formed_and_names_the_packages() -> None:
    from xml.etree import ElementTree

    graph = Graph(nodes={"a<b": Node(name="a<b", size=5)}, roots=("a<b",))
    text = draw(graph, group_packages(graph, Knowledge(), budget=2), title="a & b")
    root = ElementTree.fromstring(text)
    assert "a<b" in "".join(root.itertext())
