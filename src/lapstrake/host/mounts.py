"""What is mounted, as the kernel tells it (proc(5), ``/proc/PID/mountinfo``)."""

from __future__ import annotations

import re
from pathlib import Path

from lapstrake.errors import StoreError
from lapstrake.host.process import run

_ESCAPE = re.compile(r"\\([0-7]{3})")  # blanks, tabs, newlines and backslashes in paths


def mounts_below(folder: Path) -> tuple[Path, ...]:
    """The mount points at a folder or below it, as we see them, deepest first."""
    real = folder.resolve()
    points = [_mount_point(line) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    found = {point for point in points if point.is_relative_to(real)}
    return tuple(sorted(found, key=lambda point: (-len(point.parts), point)))


def detach_below(folder: Path) -> int:
    """Unmount all that is mounted below a folder, so that removing it removes nothing else.

    Returns:
        how many mounts there were.

    Raises:
        StoreError: one stays mounted.
    """
    points = mounts_below(folder)
    for point in points:
        run(
            ["umount", "--lazy", "--", point],
            timeout=60,
            error=StoreError,
            doing=f"unmounting {point}",
        )
    return len(points)


def _mount_point(line: str) -> Path:
    return Path(_ESCAPE.sub(lambda octal: chr(int(octal[1], 8)), line.split(" ")[4]))
