"""A warm build that does nothing, against `docker run --rm IMAGE true`; and start-up.

Needs root (Docker's daemon is started for it) and a warm work folder: LAPSTRAKE_WORK_DIR or a
temporary one, which is filled first.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pairs import command, race, report

LAPSTRAKE = Path(sys.executable).with_name("lapstrake")
NOTHING = Path(__file__).parents[1] / "examples/native/nothing"
DEBIAN_IMAGE = "lapstrake-bench"


@contextlib.contextmanager
def docker(scratch: Path) -> Iterator[list[str]]:
    """A daemon of our own, with an image of busybox, or one that runs already."""
    socket = scratch / "docker.sock"
    daemon = subprocess.Popen(
        ["dockerd", "--iptables=false", "--bridge=none", f"--data-root={scratch}/data",
         f"--exec-root={scratch}/exec", f"--pidfile={scratch}/pid", f"--host=unix://{socket}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    client = ["docker", f"--host=unix://{socket}"]
    try:
        for _ in range(200):
            if subprocess.run([*client, "info"], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield client
    finally:
        daemon.terminate()
        daemon.wait()


def import_image(client: list[str], work_dir: Path) -> None:
    """The base OS of the work folder as Docker's image: both start from the same root."""
    state = (work_dir / ".builder/base.json").read_text()
    key = state.split('"key": "')[1].split('"')[0]
    tree = work_dir / ".builder/store/layers" / key / "tree"
    with subprocess.Popen(["tar", "-C", tree, "-c", "."], stdout=subprocess.PIPE) as tar:
        subprocess.run(
            [*client, "import", "-", DEBIAN_IMAGE],
            stdin=tar.stdout,
            check=True,
            capture_output=True,
        )


def main() -> None:
    """Fill what must be warm, then race."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lapstrake-bench-") as scratch:
        work_dir = Path(os.environ.get("LAPSTRAKE_WORK_DIR", f"{scratch}/work"))
        env = {**os.environ, "LAPSTRAKE_WORK_DIR": str(work_dir)}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        build = [str(LAPSTRAKE), "-q", "build", str(NOTHING), "stable"]
        contenders = [
            command("lapstrake build (nothing)", build, env=env),
            command("lapstrake build (nothing), userns", [*build, "--runner=userns"], env=env),
            command("lapstrake build --no-refresh", [*build, "--no-refresh"], env=env),
        ]
        contenders[0].run()
        with docker(Path(scratch)) as client:
            import_image(client, work_dir)
            run = [*client, "run", "--rm", "--network=none", DEBIAN_IMAGE, "true"]
            contenders.append(command("docker run --rm IMAGE true", run))
            race(contenders, rounds=arguments.rounds)
        report("a build that does nothing", contenders, as_json=arguments.json)
        starting = [
            command("lapstrake --help", [str(LAPSTRAKE), "--help"], env=env),
            command("python -c pass", [sys.executable, "-c", "pass"], env=env),
        ]
        race(starting, rounds=arguments.rounds)
        report("start-up", starting, as_json=arguments.json)


if __name__ == "__main__":
    main()
