"""The project as files."""

from __future__ import annotations

import subprocess
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
SOURCE = PROJECT / "src" / "lapstrake"
_NOT_OURS = {".venv", ".git", "__pycache__"}


def text_files() -> dict[Path, str]:
    """All files of the project that are text, by their paths in it: what git knows.

    Without git, or out of a checkout, all that is there but what tools leave behind.
    """
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={PROJECT}", "-C", PROJECT, "ls-files", "-z"],
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0 and listed.stdout:
        names = [Path(name) for name in listed.stdout.split("\0") if name]
    else:
        names = [
            path.relative_to(PROJECT)
            for path in PROJECT.rglob("*")
            if path.is_file() and not (_NOT_OURS | {".mypy_cache"}) & set(path.parts)
        ]
    texts = {}
    for name in names:
        try:
            texts[name] = (PROJECT / name).read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # no text, or removed and not committed yet
    return texts
