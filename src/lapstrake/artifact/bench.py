"""Before a builder is let at an artifact: can this host use it, and is nobody else at it?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lapstrake.artifact.base import Package
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.making.base import Builder, Job
from lapstrake.artifact.making.choose import choose_builder
from lapstrake.errors import ArtifactError, RunnerError
from lapstrake.host.locks import locked
from lapstrake.progress import Progress

LOCK = "lock"
"""The file in an artifact's build folder that is locked while somebody builds there."""


@contextmanager
def building(job: Job) -> Iterator[None]:
    """Keep others out of an artifact's build directory; says so when it has to wait."""
    lock, what = job.folder / LOCK, f"the build of {job.identity.name}"
    with locked(lock, what=what, error=ArtifactError, on_wait=job.progress.headline):
        yield


def usable_builder(package: Package, depot: Depot, progress: Progress, *, name: str) -> Builder:
    """A package's builder, if this host can use it.

    Raises:
        RunnerError: it cannot; it tells what is missing.
    """
    builder = choose_builder(package, depot, progress, name=name)
    lacks = builder.probe()
    blocking = [lack for lack in lacks if lack.blocks]
    if blocking:
        raise RunnerError(
            f"{package.name} cannot be built with {builder.name} here: {blocking[0].what}",
            details="\n".join(f"{lack.what}. {lack.remedy}" for lack in blocking[1:]),
            resolution=blocking[0].remedy,
        )
    for lack in lacks:
        progress.warning(f"{builder.name}: {lack.what}. {lack.remedy}")
    return builder
