"""Enter a tree that is still being made: it is the workspace, over an empty stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lapstrake.errors import LapstrakeError
from lapstrake.place.apt import Apt
from lapstrake.place.workplace import Workplace


@contextmanager
def in_place(place: Workplace, tree: Path, *, error: type[LapstrakeError]) -> Iterator[Apt]:
    """Enter a tree; what commands change is changed in the tree itself.

    Nothing below the workspace holds files, so deletions leave no marks behind.
    """
    with place.store.workspace("tree") as workspace:
        empty = workspace / "empty"
        empty.mkdir()
        tree.rename(workspace / "upper")
        try:
            with place.layer_runner.open((empty,), workspace) as session:
                yield Apt(
                    session=session, progress=place.progress, error=error, limits=place.limits
                )
        finally:
            (workspace / "upper").rename(tree)
