"""Pythons of their own: scripts that say something, and workers that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def said_by(script: str, *words: str | Path) -> str:
    """What a script prints that a new Python runs, with our modules."""
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def kill_workers(script: str, folder: Path, *, seeds: range, after: float) -> None:
    """Start a worker for each seed, and kill them all while they work.

    Args:
        script: the worker: it gets the folder and its seed, and says ``ready`` before it begins.
        folder: what they work on.
        seeds: one for each.
        after: seconds from when all were ready.
    """
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(folder), str(seed)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for seed in seeds
    ]  # fmt: skip
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    time.sleep(after)
    for process in processes:
        assert process.poll() is None, process.communicate()[1].decode()
        process.kill()
    for process in processes:
        process.communicate()
        assert process.returncode == -signal.SIGKILL
