"""From the folder that a command is run in to the project in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.cli.context import AppContext
from lapstrake.cli.progress import LineProgress, OpenProgress, open_progress

if TYPE_CHECKING:
    from lapstrake.artifact.base import Project
    from lapstrake.artifact.depot import Depot


def open_depot(app: AppContext) -> Depot:
    """Where artifacts are, by the configuration and our environment.

    What `lapstrake env` exported is no choice of the user's: ``NERVES_SYSTEM`` may be old.
    """
    from lapstrake.artifact.depot import Depot
    from lapstrake.toolchain.base import without_ours

    return Depot(config=app.config, environment=without_ours(os.environ))


@contextmanager
def open_project(
    app: AppContext, *, offline: bool = False
) -> Iterator[tuple[Project, Depot, OpenProgress]]:
    """Read the project that this folder is in; the progress is shown while the block runs.

    Args:
        app: the command line's options.
        offline: fetch nothing that it depends on, whatever the configuration says.

    Raises:
        ProjectError: there is no project, or it is wrong.
        FetchError: what it depends on could not be fetched.
    """
    from lapstrake.artifact.manifest.project import read_project

    depot = open_depot(app)
    progress = open_progress(app.output)
    offline = offline or app.config.artifacts.offline
    try:
        project = read_project(Path.cwd(), depot=depot, progress=progress, offline=offline)
        yield project, depot, progress
    finally:
        progress.close()


def byte_teller(progress: OpenProgress) -> Callable[[int, int], None]:
    """What shows bytes, where a line can change."""
    if not isinstance(progress, LineProgress):
        return lambda _done, _total: None
    from lapstrake.formats.amounts import size_text

    def tell(done: int, total: int) -> None:
        of = f" of {size_text(total)}" if total > done else ""
        progress.output(f"{size_text(done)}{of}\n".encode())

    return tell
