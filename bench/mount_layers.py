"""How long a stack of many layers takes to mount: the mount alone, and a whole command in it.

A store of its own gets 1,000 layers, laid over the base OS of the work folder (LAPSTRAKE_WORK_DIR),
which must be loaded. Run it as root and as a user: the two mount in different ways.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lapstrake.baseos.current import current_base
from lapstrake.config.load import load_config
from lapstrake.formats.keys import cache_key
from lapstrake.host import entry
from lapstrake.layer.store import LayerStore
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.runner.base import Command
from lapstrake.runner.choose import choose

BUDGET = 0.050
INSIDE = """
import importlib.util, json, subprocess, sys, time
spec = importlib.util.spec_from_file_location("entry", sys.argv[1])
entry = importlib.util.module_from_spec(spec)
spec.loader.exec_module(entry)
operation, seconds = json.loads(sys.stdin.read()), []
for _ in range(int(sys.argv[2])):
    subprocess.run(["rm", "-rf", operation["work"]], check=True)
    subprocess.run(["mkdir", operation["work"]], check=True)
    before = time.perf_counter()
    entry.overlay(operation)
    seconds.append(time.perf_counter() - before)
    subprocess.run(["umount", operation["target"]], check=True)
print(json.dumps(seconds))
"""


def fill_store(store: LayerStore, count: int) -> list[Path]:
    """Small layers, as single packages make them."""
    trees = []
    for number in range(count):

        def fill(tree: Path, number: int = number) -> None:
            for folder in ("usr/bin", "usr/share/doc", "var/lib"):
                (tree / folder / f"package-{number}").mkdir(parents=True)
                (tree / folder / f"package-{number}" / "file").write_text(str(number))

        key = cache_key("bench", {"number": number})
        trees.append(store.make(key, kind="package", facts={}, fill=fill).tree)
    return trees


def time_mount(lowers: list[Path], scratch: Path, rounds: int) -> list[float]:
    """Seconds of each mount, inside a namespace as the sandbox has it."""
    import json

    rootless = os.geteuid() != 0
    for name in ("upper", "target"):
        (scratch / name).mkdir(exist_ok=True)
    operation = {
        "lowers": [str(lower) for lower in lowers],
        "target": str(scratch / "target"),
        "upper": str(scratch / "upper"),
        "work": str(scratch / "work"),
        "links": str(scratch / "links"),
        "rootless": rootless,
    }
    unshare = ["unshare", "--mount", *(["--user", "--map-root-user"] if rootless else [])]
    words = [*unshare, sys.executable, "-c", INSIDE, entry.__file__, str(rounds)]
    done = subprocess.run(
        words, input=json.dumps(operation), capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        sys.exit(done.stderr)
    seconds: list[float] = json.loads(done.stdout)
    return seconds


def time_command(lowers: list[Path], scratch: Path, rounds: int) -> list[float]:
    """Seconds of entering the stack and running `true`, all of it."""
    seconds = []
    workspace = scratch / "workspace"
    workspace.mkdir(exist_ok=True)
    with choose("auto").open(tuple(lowers), workspace) as session:
        for _ in range(rounds):
            before = time.perf_counter()
            outcome = session.run(Command(argv=("true",)), on_output=lambda _: None)
            seconds.append(time.perf_counter() - before)
            if not outcome.ok:
                sys.exit("true failed")
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--layers", type=int, default=1000, help="layers in the store")
    options.add_argument("--stack", type=int, default=200, help="layers in the stack")
    options.add_argument("--rounds", type=int, default=20)
    given = options.parse_args()
    place = Workplace(config=load_config(None), runner=choose("auto"), progress=Silent())
    base = current_base(place).tree
    with tempfile.TemporaryDirectory(dir=place.config.work_dir) as folder:
        scratch = Path(folder)
        store = LayerStore(scratch / "store")
        before = time.perf_counter()
        trees = fill_store(store, given.layers)
        print(f"{given.layers} layers made in {time.perf_counter() - before:.1f} s")
        for count in (1, given.stack // 2, given.stack):
            lowers = [base, *trees[: count - 1]]
            mount = time_mount(lowers, scratch, given.rounds)
            whole = time_command(lowers, scratch, given.rounds)
            print(
                f"{count:4} lowers: mount {statistics.median(mount) * 1000:6.1f} ms"
                f" (at most {max(mount) * 1000:.1f}),"
                f" whole command {statistics.median(whole) * 1000:6.1f} ms"
                f" (at most {max(whole) * 1000:.1f})"
            )
        verdict = "kept" if statistics.median(mount) <= BUDGET else "MISSED"
        print(f"the budget of {BUDGET * 1000:.0f} ms for {given.stack} lowers is {verdict}")


if __name__ == "__main__":
    main()
