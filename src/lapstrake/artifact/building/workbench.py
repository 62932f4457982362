"""Before a builder is let at an artifact: can this host use it, and is nobody else at it?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lapstrake.artifact.base import Package, SshAccess
from lapstrake.artifact.builders.base import Builder, Job
from lapstrake.artifact.builders.choose import choose_builder
from lapstrake.artifact.depot import IN_PACKAGE, Depot
from lapstrake.errors import ArtifactError, ProjectError, RunnerError
from lapstrake.host.locks import locked
from lapstrake.progress import Progress

LOCK = "lock"
"""The file in an artifact's build folder that is locked while somebody builds there."""
_VOLUMES = "volumes"
_LOGS = ("build.log", "archive.log", "prepare.log", "image.log")
_OURS = (LOCK, *_LOGS, "local", "root.json", _VOLUMES)
"""What builders write, or show to builds, in a build folder."""


@contextmanager
def building(job: Job) -> Iterator[None]:
    """Keep others out of an artifact's build directory; says so when it has to wait.

    Raises:
        ArtifactError: a link stands where we would write, or our own folders are in there.
    """
    refuse_links(job.folder)
    _refuse_nested(job)
    lock, what = job.folder / LOCK, f"the build of {job.identity.name}"
    with locked(lock, what=what, error=ArtifactError, on_wait=job.progress.headline):
        yield


def refuse_links(folder: Path) -> None:
    """See that a build folder is where it seems to be.

    It lies in the package, which may have been somebody else's: a link in the place of the log, of
    a volume, or of the whole folder would have us write, or remove, wherever it leads.

    Raises:
        ArtifactError: there is one.
    """
    volumes = folder / _VOLUMES
    kept = volumes.iterdir() if volumes.is_dir() and not volumes.is_symlink() else ()
    above = folder.parents[1::-1] if folder.parts[-3:-1] == IN_PACKAGE.parts else ()
    for path in (*above, folder, *(folder / each for each in _OURS), *kept):
        if path.is_symlink():
            raise ArtifactError(
                f"{path} is a link to {path.readlink()}, and not followed: builds write there",
                resolution="Remove it. Another disk can be mounted there instead.",
            )


def _refuse_nested(job: Job) -> None:
    """See that nothing of ours is where a build writes: it would become part of the artifact."""
    folder = job.folder.resolve()
    for setting, path in (
        ("artifacts.folder", job.artifacts),
        ("cache.download_dir", job.downloads),
    ):
        if path.resolve().is_relative_to(folder):
            raise ArtifactError(
                f"{path} is inside of {job.folder}, where {job.package.name} is built",
                resolution=f"Set {setting} to another folder.",
            )


def usable_builder(package: Package, depot: Depot, progress: Progress, *, name: str) -> Builder:
    """A package's builder, if this host can use it.

    Raises:
        RunnerError: it cannot; it tells what is missing.
        ProjectError: nobody has allowed what the package asks for.
    """
    if package.runner.ssh is SshAccess.DENIED:
        raise ProjectError(
            f"{package.file or package.name}: runner.ssh: {package.name} was fetched, and its build"
            " asks for your ssh-agent",
            resolution=f'If it may log in as you, say [overrides.{package.name}] ssh = "agent".',
        )
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
