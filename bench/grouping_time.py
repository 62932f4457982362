"""How long grouping takes: graphs at random with 500 and 5,000 nodes, and planned images of 500."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

from lapstrake.grouping.base import Graph, Knowledge, Node
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.learn import learn_plan

_ROUNDS = 7


def main() -> None:
    """Print medians in milliseconds."""
    for count in (500, 5_000):
        graph, known = random_graph(count)
        for strategy in ("nixery", "expected") if count == 500 else ("nixery",):
            spent = _median(
                lambda graph=graph, known=known, strategy=strategy: group_packages(
                    graph, known, budget=94, strategy=strategy
                )
            )
            print(f"{strategy:<24} {count:5} nodes {spent:8.1f} ms")
    graph, known = random_graph(500)
    chance = random.Random(2)
    images = [frozenset(chance.sample(sorted(graph.nodes), 400)) for _ in range(60)]
    sources = {name: node.source for name, node in graph.nodes.items()}
    plan = learn_plan(images, sources, known, budgets=[94])
    spent = _median(lambda: group_packages(graph, known, budget=94, plan=plan))
    print(f"{'expected, with a plan':<24}   500 nodes {spent:8.1f} ms")


def random_graph(count: int) -> tuple[Graph, Knowledge]:
    """A graph whose nodes need earlier ones, the first ones most."""
    chance = random.Random(count)
    nodes = {}
    for number in range(count):
        needs = {int(number * chance.random() ** 2) for _ in range(chance.randint(0, 8))}
        name = f"p{number}"
        nodes[name] = Node(
            name=name,
            label=name,
            source=f"s{number * 2 // 3}",
            size=chance.randint(10**4, 10**7),
            closure_size=chance.randint(10**4, 2 * 10**8),
            references=tuple(f"p{need}" for need in sorted(needs)),
        )
    popularity = {name: float(chance.randint(1, 200)) for name in nodes}
    rates = {node.source: chance.random() / 10 for node in nodes.values()}
    sizes = {name: node.size for name, node in nodes.items()}
    roots = tuple(f"p{number}" for number in range(count - 10, count))
    return Graph(nodes=nodes, roots=roots), Knowledge(
        popularity=popularity, rates=rates, sizes=sizes
    )


def _median(run: Callable[[], object]) -> float:
    spent = []
    for _ in range(_ROUNDS):
        before = time.process_time()
        run()
        spent.append(1000 * (time.process_time() - before))
    return statistics.median(spent)


if __name__ == "__main__":
    main()
