"""A process of its own that uses a builder: to be killed, interrupted, or given a terminal."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import lapstrake
from builder_subjects import Subject
from lapstrake.artifact.builders.base import Job
from lapstrake.cli.errors import run_guarded


def victim_command(subject: Subject, job: Job, action: str = "build") -> list[str]:
    """How a process of its own builds with the subject's builder, or does something else."""
    file = subject.folder / f"{action}.pickle"
    file.write_bytes(pickle.dumps((subject.builder, job)))
    return [sys.executable, __file__, action, str(file)]


def victim_environment(subject: Subject) -> dict[str, str]:
    """Where that process finds our modules."""
    paths = [Path(lapstrake.__file__).parents[1], Path(__file__).parent]
    python_path = ":".join(str(path) for path in paths)
    return {**os.environ, **subject.environment, "PYTHONPATH": python_path}


def main() -> int:
    """Do what the arguments say: ``build``, ``archive`` or ``shell``, and a file with the job."""
    action, file = sys.argv[1:]
    builder, job = pickle.loads(Path(file).read_bytes())

    def work() -> int:
        result = getattr(builder, action)(job)
        return result if isinstance(result, int) else 0

    return run_guarded(work)


if __name__ == "__main__":
    sys.exit(main())
