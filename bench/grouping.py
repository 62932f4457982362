"""How many bytes a fleet pulls under each rule of grouping, as multiples of the least possible.

Deterministic: a real index of Debian from the host's own apt lists (``apt-get update`` first),
images, hosts, swaps and updates from seeds. The plan is learnt from other images than those pulled.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import grouping_rivals as rivals
from grouping_fleet import (
    Scenario,
    lower_bound,
    poisson_scenario,
    real_scenario,
    rolling_rates,
    simulate,
)

from lapstrake.grouping.archive import Archive, read_archive
from lapstrake.grouping.base import Graph, Knowledge
from lapstrake.grouping.choose import group_packages
from lapstrake.grouping.learn import learn_plan
from lapstrake.grouping.nixery import closure_sizes
from lapstrake.grouping.sample import Habits, Sampler, applications
from lapstrake.grouping.study import IMAGES

_LISTS = Path("/var/lib/apt/lists")
_WEEKS = 161  # from bookworm's release to its index of July 2026
_IMAGES = 150
_SCENARIOS = ("stable", "guessed", "rolling", "real")
_ALIKE = ("Nixery", "apko", "dockerTools-like", "one per source", "single layer")

Rule = Callable[[Graph, Knowledge, int], Sequence[Sequence[str]]]


def main() -> None:
    """Print a table; write the plot where ``--plot`` says."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, nargs="+", default=[1])
    options.add_argument("--budgets", type=int, nargs="+", default=[94, 40, 20, 10])
    options.add_argument(
        "--scenarios", nargs="+", default=["stable", "rolling", "real"], choices=_SCENARIOS
    )
    options.add_argument("--learn", type=int, default=IMAGES, help="images to learn the plan from")
    options.add_argument("--release", default="bookworm")
    options.add_argument("--plot", type=Path, help="an SVG file")
    chosen = options.parse_args()
    archive = _index(f"*_dists_{chosen.release}_main_binary-amd64_Packages*")
    later = _index(f"*_dists_{chosen.release}-security_main_binary-amd64_Packages*")
    rows: dict[tuple[int, str, int], dict[str, float]] = {}
    for seed in chosen.seeds:
        bench = Bench(archive, later, seed, chosen.learn)
        for name in chosen.scenarios:
            for budget in chosen.budgets:
                rows[seed, name, budget] = bench.run(name, budget)
    if chosen.plot:
        chosen.plot.write_text(plot(rows))


class Bench:
    """One seed's images and what happens to them."""

    def __init__(self, archive: Archive, later: Archive, seed: int, learn: int) -> None:
        popularity = archive.popularity()
        sampler = Sampler(archive, applications(archive, popularity), Habits())
        self.archive, self.later, self.seed = archive, later, seed
        self.images = [image for _, image in islice(sampler.draw(f"test {seed}"), _IMAGES)]
        self.others = [image for _, image in islice(sampler.draw(f"plan {seed}"), learn)]
        self.graphs = [_with_closures(archive.graph(image)) for image in self.images]
        self.layers: dict[tuple[str, int], list[Sequence[Sequence[str]]]] = {}
        self.sources = {name: package.source for name, package in archive.packages.items()}
        self.sizes = {name: package.size for name, package in archive.packages.items()}
        self.popularity = popularity

    def run(self, name: str, budget: int) -> dict[str, float]:
        """Let the fleet pull under all rules; rule → multiple of the bound."""
        scenario, rates = self._scenario(name)
        known = Knowledge(popularity=self.popularity, rates=rates, sizes=self.sizes)
        bound = lower_bound(scenario, self.archive, self.images)
        print(f"{name}, seed {self.seed}, budget {budget}: bound {bound / 1e9:.2f} GB")
        found = {}
        for label, rule in self._rules(known, budget).items():
            layers = self.layers.get((label, budget))
            if layers is None:
                layers = [rule(graph, known, budget) for graph in self.graphs]
            if label in _ALIKE:  # rules that know nothing of updates
                self.layers[label, budget] = layers
            traffic = simulate(scenario, self.archive, layers)
            found[label] = traffic.bytes / bound
            print(
                f"  {label:<22} {traffic.bytes / bound:6.2f}   {traffic.bytes / 1e9:7.2f} GB"
                f"   {traffic.layers:6} layers   in order {traffic.prefix_bytes / 1e9:7.2f} GB"
                f"   {traffic.mean:5.1f} layers an image",
                flush=True,
            )
        return found

    def _scenario(self, name: str) -> tuple[Scenario, dict[str, float]]:
        """What happens, and the rates that rules are told: true ones but in `guessed`, `real`."""
        stable = self.archive.stable_rates(_WEEKS)
        if name == "real":
            later = real_scenario(self.archive, self.later, seed=self.seed, images=_IMAGES)
            return later, stable
        rates = rolling_rates(self.archive, seed=self.seed) if name == "rolling" else stable
        drawn = "stable" if name == "guessed" else name
        happens = poisson_scenario(drawn, self.archive, rates, seed=self.seed, images=_IMAGES)
        if name == "stable":  # what rests is known to rest
            rates = dict.fromkeys(self.sources.values(), 0.0) | rates
        return happens, rates

    def _rules(self, known: Knowledge, budget: int) -> dict[str, Rule]:
        plan = learn_plan(self.others, self.sources, known, budgets=[budget])

        def ours(graph: Graph, known: Knowledge, budget: int, **how: object) -> list[list[str]]:
            groups = group_packages(graph, known, budget=budget, **how)  # type: ignore[arg-type]
            return [list(group.members) for group in groups]

        return {
            "ours, with a plan": partial(ours, plan=plan),
            "ours, without": ours,
            "Nixery": partial(ours, strategy="nixery"),
            "apko": rivals.apko,
            "chunkah-like": rivals.chunkah,
            "dockerTools-like": rivals.docker_tools,
            "one per source": rivals.one_per_source,
            "single layer": rivals.single,
        }


def plot(rows: dict[tuple[int, str, int], dict[str, float]]) -> str:
    """Draw the rows as bars on a logarithmic scale."""
    import math
    from html import escape

    colours = ["#1a7f5a", "#7cc4a4", "#c0504d", "#e0a030", "#5b7db1", "#8e6aa8", "#999", "#444"]
    lines, top = [], 30
    for (seed, name, budget), found in rows.items():
        lines.append(
            f'<text x="10" y="{top}" font-weight="bold">{name}, {budget} layers, seed {seed}</text>'
        )
        for (label, ratio), colour in zip(found.items(), colours, strict=False):
            top += 18
            width = 8 + 200 * math.log2(max(1.0, ratio))
            lines.append(
                f'<text x="150" y="{top}" text-anchor="end">{escape(label)}</text>'
                f'<rect x="158" y="{top - 11}" width="{width:.0f}" height="13" fill="{colour}"/>'
                f'<text x="{164 + width:.0f}" y="{top}">{ratio:.2f}</text>'
            )
        top += 34
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="1100" height="{top}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
        + "\n".join(lines)
        + "</svg>\n"
    )


def _with_closures(graph: Graph) -> Graph:
    sizes = closure_sizes(graph)
    nodes = {name: replace(node, closure_size=sizes[name]) for name, node in graph.nodes.items()}
    return Graph(nodes=nodes, roots=graph.roots)


def _index(pattern: str) -> Archive:
    found = sorted(_LISTS.glob(pattern))
    if not found:
        sys.exit(f"no {pattern} in {_LISTS}: run apt-get update")
    helper = ["/usr/lib/apt/apt-helper", "cat-file"]
    texts = (
        subprocess.run([*helper, str(path)], capture_output=True, check=True).stdout.decode()
        for path in found
    )
    return read_archive(texts)


if __name__ == "__main__":
    main()
