"""A process of its own that uses a runner: to be killed, or to be given a terminal."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import lapstrake
from lapstrake.cli.errors import run_guarded
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command
from runner_subjects import Subject, make_runner


def victim_command(subject: Subject, *argv: str, interact: bool = False) -> list[str]:
    """How a process of its own runs a command with the subject's runner."""
    job = {
        "runner": subject.words,
        "stack": [str(subject.root)],
        "workspace": str(subject.new_folder("workspace")),
        "argv": argv,
        "interact": interact,
    }
    return [sys.executable, __file__, json.dumps(job)]


def victim_environment() -> dict[str, str]:
    """Where that process finds our modules."""
    paths = [Path(lapstrake.__file__).parents[1], Path(__file__).parent]
    return {**os.environ, "PYTHONPATH": ":".join(str(path) for path in paths)}


def main() -> int:
    """Run the command of the JSON argument; ``interact`` when it says so."""
    job = json.loads(sys.argv[1])
    runner = make_runner(*job["runner"])
    command = Command(argv=tuple(job["argv"]), cwd=GuestPath("/buildroot"))

    def work() -> int:
        stack = tuple(Path(tree) for tree in job["stack"])
        with runner.open(stack, Path(job["workspace"])) as session:
            if job["interact"]:
                return session.interact(command)
            return session.run(command, on_output=lambda data: _write(data)).status

    return run_guarded(work)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


if __name__ == "__main__":
    sys.exit(main())
