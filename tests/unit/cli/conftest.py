"""Run the real program, as a user does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with a home of its own and nothing set."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "LAPSTRAKE_CONFIG": "",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def lapstrake(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run ``lapstrake`` with words; keywords are environment variables."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lapstrake", *words],
            env={**environment, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def script(environment: dict[str, str], tmp_path: Path) -> Callable[..., list[str]]:
    """Write a program whose work runs guarded; gives its command line."""

    def write(body: str) -> list[str]:
        file = tmp_path / "program.py"
        lines = "\n".join("    " + line for line in body.splitlines())
        file.write_text(
            "import sys, os, time, signal\n"
            "from pathlib import Path\n"
            "from lapstrake import errors\n"
            "from lapstrake.cli.errors import run_guarded\n"
            f"def work():\n{lines}\n"
            "sys.exit(run_guarded(work))\n"
        )
        return [sys.executable, str(file)]

    return write
