"""A task of the farm against the same build without it: from its submission to its start and end.

Needs a warm work folder: LAPSTRAKE_WORK_DIR or a temporary one, which is filled first. The server
and its builder run there; nothing is published. A start is when the server gave the task to the
worker, by the server's own clock.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import httpx2
from pairs import Contender, command, race, report

from farm_server import farm_server
from farm_worker import pack
from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.uploads import upload

LAPSTRAKE = Path(sys.executable).with_name("lapstrake")
NOTHING = Path(__file__).parents[1] / "examples/native/nothing"
_LOOK = 0.02
_COUNT = itertools.count()


class FarmBuild:
    """The bundle, built by the farm as often as it is asked to."""

    def __init__(self, client: httpx2.Client, digest: str) -> None:
        self.client, self.digest = client, digest
        self.starts: list[float] = []

    def run(self) -> None:
        """Submit, and wait for the end."""
        spec = {
            "bundle": self.digest,
            "branch": "stable",
            "name": f"nothing-{next(_COUNT)}",
            "fresh": True,
            "publish": False,
        }
        task = self.client.post("/api/v1/tasks", json={"spec": spec}).raise_for_status().json()
        while True:
            status = self.client.get(f"/task/{task['id']}/status").json()
            if status["state"] == "success":
                break
            if status["state"] in {"failed", "error"}:
                sys.exit(json.dumps(status))
            time.sleep(_LOOK)
        (attempt,) = self.client.get(f"/api/v1/tasks/{task['id']}/attempts").json()
        self.starts.append(attempt["started"] - task["created"])


def measure(work_dir: Path, rounds: int) -> None:
    """Race, and print."""
    with tempfile.TemporaryDirectory() as scratch, farm_server(work_dir, slots=1) as server:
        archive = Path(scratch, "nothing.tar")
        archive.write_bytes(pack(NOTHING))
        digest = upload(Connection(server.url), archive)
        with server.client() as client:
            while not client.get("/api/v1/workers").json()["items"]:
                time.sleep(_LOOK)
            farm = FarmBuild(client, digest)
            alone = command(
                "lapstrake build --no-publish",
                [str(LAPSTRAKE), "build", "--no-publish", str(NOTHING), "stable"],
                env={**os.environ, "LAPSTRAKE_WORK_DIR": str(work_dir)},
            )
            contenders = [Contender(name="a task of the farm", run=farm.run), alone]
            race(contenders, rounds=rounds)
            report("a bundle that does nothing", contenders)
            starts = farm.starts[1:]
            print(f"  from submission to start: {statistics.median(starts):.3f} s"
                  f"   [{min(starts):.3f} .. {max(starts):.3f}]")  # fmt: skip
            more = contenders[0].median - contenders[1].median
            print(f"  what the farm adds: {more:.2f} s, {more / 60:.1%} of a minute")


def main() -> None:
    """Measure in a warm work folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        given = os.environ.get("LAPSTRAKE_WORK_DIR")
        work_dir = Path(given or scratch)
        if not given:
            setup = command("branch", [str(LAPSTRAKE), "branch", "refresh", "stable"],
                            env={**os.environ, "LAPSTRAKE_WORK_DIR": str(work_dir)})  # fmt: skip
            setup.run()
        measure(work_dir, options.rounds)


if __name__ == "__main__":
    main()
