"""The farm's desk: tasks that come, pages of many, and a start with many queued.

Runs on SQLite and on a PostgreSQL of its own that writes as in real life (--only to choose), with
the engine's own tables beside. No HTTP is in it. Of each figure the wall time and the processor
time of this process are told: on a loaded machine the latter is what can be compared.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from farm_data import fill_tasks
from farm_desk import World, make_engine, make_world
from farm_postgres import running_postgres
from lapstrake.farm.values.groups import GroupSpec
from lapstrake.farm.values.tasks import TaskFilter, TaskState


def timed(call: Callable[[], object], times: int = 1) -> tuple[float, float]:
    """The middle of how long a call takes: seconds by the wall, and of the processor."""
    wall, processor = [], []
    for _ in range(times):
        began, used = time.monotonic(), time.process_time()
        call()
        wall.append(time.monotonic() - began)
        processor.append(time.process_time() - used)
    return statistics.median(wall), statistics.median(processor)


def tell(what: str, took: tuple[float, float], bound: str = "") -> None:
    """Print one row."""
    wall, processor = (f"{seconds * 1000:9.1f} ms" for seconds in took)
    print(f"  {what:44}{wall} wall {processor} processor  {bound}", flush=True)


def submits(world: World) -> None:
    """1,000 tasks: in one request, and one by one."""
    specs = [world.spec(f"p{number}") for number in range(1000)]
    tell("1,000 tasks in one request", timed(lambda: world.desk.submit_many(specs, "a")), "≤ 5 s")
    others = [world.spec(f"q{number}") for number in range(1000)]
    one_by_one = timed(lambda: [world.desk.submit(spec, "a") for spec in others])
    tell("1,000 tasks one by one", one_by_one, "≤ 5 s")
    chain = [world.member(f"m{n}", *([f"m{n - 1}"] if n else [])) for n in range(1000)]
    group = GroupSpec(members=tuple(chain))
    tell("a group of 1,000 members in a chain", timed(lambda: world.desk.submit_group(group, "a")))


def pages(world: World, count: int) -> None:
    """Pages of 50 of very many tasks."""
    desk = world.desk
    middle = str(count // 2)
    queries: dict[str, Callable[[], object]] = {
        "the newest": lambda: desk.tasks(limit=50),
        "in the middle": lambda: desk.tasks(after=middle, limit=50),
        "of one state": lambda: desk.tasks(TaskFilter(states=(TaskState.FAILED,)), limit=50),
        "of one name": lambda: desk.tasks(TaskFilter(name="hello"), limit=50),
        "of an owner without tasks": lambda: desk.tasks(TaskFilter(owner="nobody"), limit=50),
        "the history": lambda: desk.history(limit=50),
        "the history of one name": lambda: desk.history(name="hello", limit=50),
        "the newest events": lambda: desk.events(after=str(desk.newest_event() - 50)),
    }
    for name, query in queries.items():
        query()
        tell(f"a page of 50 of {count:,}: {name}", timed(query, 20), "≤ 20 ms")


def starts(world: World, queued: int) -> None:
    """A start with very many tasks queued, of which the engine knows none, then all."""
    tell(f"start with {queued:,} queued, all new to it", timed(world.desk.reconcile))
    world.restart()
    tell(f"start with {queued:,} queued, all known", timed(world.desk.reconcile))
    tell(f"sweep with {queued:,} queued", timed(world.desk.sweep, 5))
    newest = world.desk.tasks(TaskFilter(states=(TaskState.QUEUED,)), limit=1).items[0]
    tell(f"why, with {queued:,} queued", timed(lambda: world.desk.why(newest.id), 10))


@contextlib.contextmanager
def worlds(kind: str) -> Iterator[Callable[[], World]]:
    """Makes empty worlds on a kind of database."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        server = None if kind == "sqlite" else stack.enter_context(running_postgres(durable=True))
        engine = make_engine(Path(folder))
        made: list[World] = []

        def make() -> World:
            url = server.new_database() if server else ""
            world = make_world(Path(folder) / str(len(made)), url, engine)
            stack.callback(world.close)
            made.append(world)
            return world

        yield make


def main() -> None:
    """Measure both databases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["sqlite", "postgresql"])
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--queued", type=int, default=10_000)
    options = parser.parse_args()
    for kind in [options.only] if options.only else ["sqlite", "postgresql"]:
        print(kind)
        with worlds(kind) as make:
            submits(make())
            full = make()
            fill_tasks(full.database, options.tasks, queued=options.queued)
            pages(full, options.tasks)
            starts(full, options.queued)


if __name__ == "__main__":
    main()
