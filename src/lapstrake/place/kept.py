"""Package files that were fetched: kept by their SHA-256, and bounded.

A file is of use only until its package's layer is there, and when that was collected; so files may
take a tenth of what the cache may.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lapstrake.errors import StoreError
from lapstrake.host.locks import locked
from lapstrake.place.workplace import Workplace

_SHARE = 10
_WHAT = "package files"


@contextmanager
def held_packages(place: Workplace) -> Iterator[Path]:
    """The folder of package files (``SHA256.deb``), of which none goes meanwhile."""
    folder = place.private / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(_lock(place.private), what=_WHAT, exclusive=False, on_wait=place.progress.headline):
        yield folder


def collect_packages(
    place: Workplace, *, budget: int, idle: float = 0.0, dry_run: bool = False
) -> tuple[int, int]:
    """Remove the package files used longest ago until the rest fits a tenth of a budget.

    Args:
        place: where; each architecture has its own tenth.
        budget: bytes that layers and package files may take.
        idle: seconds that a file must have been unused.
        dry_run: only tell what would go.

    Returns:
        how many are removed, and how many bytes; none while somebody uses them.
    """
    count = freed = 0
    for private in (place.private, *place.private.glob("arch/*")):
        try:
            with locked(_lock(private), what=_WHAT, timeout=0):
                gone = _oldest(private / "packages", most=budget // _SHARE, idle=idle)
                for path, size in gone:
                    count, freed = count + 1, freed + size
                    if not dry_run:
                        path.unlink()
        except StoreError:  # in use
            continue
    return count, freed


def _lock(private: Path) -> Path:
    return private / "locks" / "packages"


def _oldest(folder: Path, *, most: int, idle: float) -> list[tuple[Path, int]]:
    """The files that do not fit, used longest ago first, with their sizes."""
    if not folder.is_dir():
        return []
    files = sorted(
        (facts.st_mtime, path.name, facts.st_size)
        for path in folder.glob("*.deb")
        for facts in [os.stat(path)]  # noqa: PTH116 - quick
    )
    total = sum(size for _, _, size in files)
    latest = time.time() - idle if idle else math.inf
    doomed = []
    for used, name, size in files:
        if total <= most or used > latest:
            break
        doomed.append((folder / name, size))
        total -= size
    return doomed
