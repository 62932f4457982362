"""How near to the least possible time real graphs are built, by rule of placement.

Debian's sources (fetched by apt from the host's own mirror into a temporary folder) or a tree of
AOSC bundles, on fleets from seeds. The archive tells no build times: the work of a package is
derived from the size of its sources (without one, from chance alone), times lognormal noise; so
are machines, and how far estimates are off. Only the graph is real.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from farm_graphs import SourceGraph, debian, tree

from lapstrake.farm.placement.assign import by_queue, least_makespan, quick
from lapstrake.farm.placement.base import Load, Machine
from lapstrake.farm.placement.bounds import Study
from lapstrake.farm.placement.rules import FirstIdle, Rule
from lapstrake.farm.placement.simulate import Loss, replay

_GIB = 1 << 30


@dataclass(frozen=True)
class Case:
    """Loads as they are believed to be, what they truly take, and machines."""

    loads: Sequence[Load]
    factors: Sequence[float]
    machines: Sequence[Machine]
    losses: Sequence[Loss] = ()


Make = Callable[[Case], Rule]
RULES: dict[str, Make] = {
    "first come": lambda case: FirstIdle(case.loads),
    "by queue": lambda case: by_queue(case.loads, case.machines),
    "quick": lambda case: quick(case.loads, case.machines).make(),
    "least makespan": lambda case: least_makespan(case.loads, case.machines).make(),
}


def main() -> None:
    """Print a table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--machines", type=int, nargs="+", default=[1, 10, 100, 1000])
    options.add_argument("--seeds", type=int, nargs="+", default=[1])
    options.add_argument("--errors", type=float, nargs="+", default=[0.0, 0.3])
    options.add_argument("--lost", type=float, default=0.0, help="part of the machines that vanish")
    options.add_argument(
        "--slots", choices=("one", "several"), nargs="+", default=["one", "several"]
    )
    options.add_argument("--rules", choices=tuple(RULES), nargs="+", default=list(RULES))
    options.add_argument("--sources", type=Path, help="an index of Debian's sources, not by apt")
    options.add_argument("--tree", type=Path, help="a tree of AOSC bundles instead")
    chosen = options.parse_args()
    graph = tree(chosen.tree) if chosen.tree else debian(chosen.sources)
    edges = sum(map(len, graph.needs))
    print(f"{len(graph.packages)} packages, {edges} needs; {graph.knotted} packages in circles,")
    print(f"{graph.dropped} needs dropped to undo them. Makespans as multiples of the bound.\n")
    titles = ("machines", "slots", "seed", "errors", "bound", "h", *chosen.rules)
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for seed in chosen.seeds:
        for slots in chosen.slots:
            for count in chosen.machines:
                for error in chosen.errors:
                    case = make_case(graph, seed, count, slots, error)
                    case = lose(case, chosen.lost, seed)
                    name = f"{count} | {slots} | {seed} | {error}"
                    print(row(case, name, chosen.rules), flush=True)


def row(case: Case, name: str, rules: Sequence[str]) -> str:
    """One line: rules on one case, each with the processor seconds of plan and simulation."""
    true = [
        replace(load, work=load.work * factor)
        for load, factor in zip(case.loads, case.factors, strict=True)
    ]
    least = Study(true, case.machines).bounds
    kind = "path" if least.path > least.work else "work"
    cells = []
    for rule in rules:
        begin = time.process_time()
        made = RULES[rule](case)
        done = replay(case.loads, case.machines, made, factors=case.factors, losses=case.losses)
        assert len(done.placed) == len(case.loads)
        took = time.process_time() - begin
        cells.append(f"{done.makespan / least.simple:.3f} ({took:.0f} s)")
    return f"| {name} | {kind} | {least.simple / 3600:.1f} | {' | '.join(cells)} |"


def lose(case: Case, part: float, seed: int) -> Case:
    """The case with a part of its machines vanishing within the least time."""
    chance = random.Random(f"lost {seed}")
    least = Study(case.loads, case.machines).bounds.simple
    gone = chance.sample(range(len(case.machines)), int(part * len(case.machines)))
    return replace(case, losses=[Loss(chance.uniform(0, least), machine) for machine in gone])


def make_case(graph: SourceGraph, seed: int, count: int, slots: str, error: float) -> Case:
    """Planted work and machines on a real graph."""
    chance = random.Random(f"{seed} {count}")
    loads = []
    for package, needs in zip(graph.packages, graph.needs, strict=True):
        size = package.size or math.exp(chance.gauss(11.5, 1.8))
        megabytes = min(size / 1e6, 300.0)
        work = (30 + 100 * megabytes**0.8) * math.exp(chance.gauss(0, 0.8))
        loads.append(
            Load(
                name=package.name,
                work=work,
                loss=min(1.0, 0.03 * math.exp(chance.gauss(0, 0.7))),
                memory=0.3 * _GIB,
                memory_per_core=0.3 * _GIB * math.exp(chance.gauss(0, 0.6)),
                disk=0.2 * _GIB + 30 * size,
                needs=needs,
            )
        )
    machines = []
    for number in range(count):
        cores = chance.choice((4, 8, 8, 16))
        machines.append(
            Machine(
                name=f"m{number}",
                cores=cores,
                slots=1 if slots == "one" else cores // 2,
                speed=math.exp(chance.gauss(0, 0.3)),
                memory=cores * 2 * _GIB,
                disk=500 * _GIB,
            )
        )
    noise = random.Random(f"errors {seed}")
    return Case(loads, [math.exp(noise.gauss(0, error)) for _ in loads], machines)


if __name__ == "__main__":
    main()
