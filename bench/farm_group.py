"""A group of 12 packages on a farm with two places to build, against one after another.

Each package's build mostly sleeps, so that what is compared is the farm and the graph, not how many
processors this machine has free. The bound: the longest chain, and half of everything, of what the
builds themselves took one after another.

Needs a warm work folder, in which a farm is left: LAPSTRAKE_WORK_DIR, or a temporary one that is
filled first.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from pairs import command

from farm_server import farm_server
from lapstrake.farm.client.farm import Farm
from lapstrake.farm.client.packing import give_bundle
from lapstrake.farm.placement.critical import ranks
from lapstrake.farm.values.groups import GroupSpec, GroupState, MemberSpec
from lapstrake.farm.values.tasks import TaskSpec

LAPSTRAKE = Path(sys.executable).with_name("lapstrake")
NEEDS = {
    "base": (),
    "zlib": ("base",),
    "ssl": ("base",),
    "xml": ("zlib",),
    "curl": ("ssl", "zlib"),
    "python": ("ssl", "zlib"),
    "git": ("curl",),
    "docs": (),
    "fonts": (),
    "toolkit": ("xml",),
    "viewer": ("toolkit",),
    "editor": ("toolkit", "python"),
}


def main() -> None:
    """Print what each way took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--branch", default="stable")
    options.add_argument("--arch", default="amd64")
    options.add_argument("--seconds", type=float, default=6.0, help="of the longest build")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        given = os.environ.get("LAPSTRAKE_WORK_DIR")
        chosen.work_dir = Path(given or scratch)
        if not given:
            refresh = [str(LAPSTRAKE), "branch", "refresh", chosen.branch]
            environment = {**os.environ, "LAPSTRAKE_WORK_DIR": scratch}
            command("branch", refresh, env=environment).run()
        measure(chosen)


def measure(chosen: argparse.Namespace) -> None:
    """One after another, then on two by each rule of placement."""
    chance = random.Random(1)
    sleeps = {name: chosen.seconds * chance.uniform(0.2, 1.0) for name in NEEDS}
    alone, took = build(chosen, sleeps, slots=1, kind="critical-path")
    numbers = {name: number for number, name in enumerate(NEEDS)}
    needs = [tuple(numbers[other] for other in NEEDS[name]) for name in NEEDS]
    path = max(ranks([took[name] for name in NEEDS], needs))
    least = max(path, sum(took.values()) / 2)
    print(f"one after another: {alone:.1f} s; builds {sum(took.values()):.1f} s of it")
    print(f"bound on two: {least:.1f} s (longest chain {path:.1f} s): {alone / least:.2f} times")
    for kind in ("critical-path", "makespan"):
        seconds, _ = build(chosen, sleeps, slots=2, kind=kind)
        print(
            f"{kind} on two: {seconds:.1f} s, {alone / seconds:.2f} times as fast, "
            f"{seconds / least:.3f} of the bound"
        )


def build(
    chosen: argparse.Namespace, sleeps: dict[str, float], *, slots: int, kind: str
) -> tuple[float, dict[str, float]]:
    """Build the group; gives its seconds, and those of each member."""
    settings = (f"farm.placement={kind}", "farm.disk_low=100M")
    with (
        farm_server(chosen.work_dir, slots=slots, settings=settings) as server,
        Farm(server.url) as farm,
        bundles(sleeps) as folders,
    ):
        while not any(worker.state == "online" for worker in farm.workers()):
            time.sleep(0.2)
        members = tuple(
            MemberSpec(
                name=name,
                spec=TaskSpec(
                    name=name,
                    bundle=give_bundle(farm.connection, folders / name),
                    branch=chosen.branch,
                    arch=chosen.arch,
                    fresh=True,
                ),
                needs=NEEDS[name],
            )
            for name in NEEDS
        )
        begun = time.monotonic()
        group = farm.groups.submit(GroupSpec(name="bench", members=members))
        ended = farm.groups.wait(group.id, seconds=600)
        seconds = time.monotonic() - begun
        assert ended.state is GroupState.SUCCESS, ended
        tasks = farm.groups.tasks(group.id)
        return ended.finished - ended.created or seconds, {
            task.member: task.finished - task.started for task in tasks
        }


@contextmanager
def bundles(sleeps: dict[str, float]) -> Iterator[Path]:
    """A folder of bundles whose builds take so long."""
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in sleeps.items():
            place = Path(folder, name)
            place.mkdir()
            (place / "lapstrake.toml").write_text(
                f'[package]\nname = "bench-{name}"\nversion = "1"\ndescription = "a benchmark"\n'
                'maintainer = "Bench <bench@example.org>"\narchitecture = "all"\n\n'
                f"[steps]\ninstall = '''\nsleep {seconds:.2f}\nmkdir -p \"$DESTDIR/usr/share\"\n"
                f"echo hi > \"$DESTDIR/usr/share/bench-{name}\"\n'''\n"
            )
        yield Path(folder)


if __name__ == "__main__":
    main()
