"""The mark of a restore that has not ended: until it has, nobody may use the tables."""

from __future__ import annotations

from pathlib import Path

from lapstrake.errors import FarmError

_NAME = "farm.restoring"


def mark_of(work_dir: Path) -> Path:
    """The file that is there while a backup is brought back into a work folder."""
    return work_dir / _NAME


def refuse_half_restored(work_dir: Path) -> None:
    """Refuse a farm that is not whole: whoever made tables in it would be in the restore's way.

    Raises:
        FarmError: a restore was begun here and has not ended.
    """
    mark = mark_of(work_dir)
    if mark.exists():
        raise FarmError(
            "a restore of this farm has not ended",
            resolution="Run `lapstrake farm restore` again with the same file; or, to begin with "
            f"an empty farm, remove {mark}.",
        )
