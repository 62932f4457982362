"""What is done besides building: archives written, build directories removed or looked into."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.artifact.archives.unpack import verify_archive
from lapstrake.artifact.base import Package, Project
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.choose import choose_builder
from lapstrake.artifact.builders.running import require_terminal
from lapstrake.artifact.building.jobs import job_of, needed_by
from lapstrake.artifact.building.workbench import LOCK, building, refuse_links, usable_builder
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.keeping.cache import ArtifactCache, BusyError
from lapstrake.artifact.keeping.entries import split_name
from lapstrake.artifact.keeping.status import Where, status_of
from lapstrake.errors import StaleError, UsageError
from lapstrake.host import files, owned
from lapstrake.progress import Progress

_TRACES = {"local": "local", "root": "root.json", "docker": ".docker_id"}
"""What each builder leaves in a build folder."""


def write_archive(
    project: Project, name: str, depot: Depot, progress: Progress, *, folder: Path
) -> Path:
    """Write an artifact's archive under its download name, from wherever the artifact is.

    Args:
        project: the project.
        name: the package; empty for the project itself.
        depot: where artifacts are.
        progress: hears what is done.
        folder: where the archive is written; made when missing.

    Raises:
        StaleError: there is no artifact of these inputs.
        UsageError: there is no such package, or it is none that has an artifact.
    """
    package = package_named(project, name)
    status = status_of(project, package, depot)
    job = job_of(project, package, status.identity, depot, progress, inputs={})
    target = folder.absolute() / job.identity.file_name
    if status.stale or status.path is None:
        raise StaleError(
            f"{package.name}: {status.reason}",
            resolution=f"Build it first: lapstrake artifact build {package.name}",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        kept = depot.downloads / job.identity.file_name
        if status.where is Where.DOWNLOADED:
            kept, target = status.path, folder.absolute() / status.path.name
        if status.where is not Where.OVERRIDE and kept.is_file():
            verify_archive(kept)
            if not (target.exists() and target.samefile(kept)):
                files.copy_atomic(kept, target)
        else:
            with ArtifactCache(depot.artifacts).use(job.identity):
                pack_archive(status.path, target, top=job.identity.download_name, epoch=job.epoch)
    except OSError as refused:
        raise files.disk_error(refused, doing=f"writing {target}") from refused
    return target


def clean(
    project: Project, names: Sequence[str], depot: Depot, progress: Progress
) -> tuple[str, ...]:
    """Remove what packages were built in, and their artifacts, of whatever inputs and version.

    Archives in the folder of downloads stay, so other checkouts of a package lose hardly anything.

    Args:
        project: the project.
        names: of packages; all that have artifacts, when there are none.
        depot: where artifacts are.
        progress: hears what is done, and what stays.

    Returns:
        the names of the artifacts.

    Raises:
        UsageError: there is no such package.
        BusyError: somebody uses the artifact.
    """
    packages = [package_named(project, name) for name in names] or [
        each for each in project.packages if not each.type.is_platform
    ]
    cleaned = []
    for package in packages:
        status = status_of(project, package, depot)
        job = job_of(project, package, status.identity, depot, progress, inputs={})
        _forget_kept(job, depot)
        for folder in _build_folders(job):
            with building(replace(job, folder=folder)):
                _clean_folder(replace(job, folder=folder), depot, progress)
        cleaned.append(job.identity.name)
    return tuple(cleaned)


def _forget_kept(job: Job, depot: Depot) -> None:
    """Remove all that is kept of a package; what Nerves put there is Nerves', and only told."""
    identity, cache = job.identity, ArtifactCache(depot.artifacts)
    cache.remove(identity.download_name)
    for entry in cache.entries():
        if (entry.package, entry.host) != (identity.package, identity.host):
            continue
        if entry.foreign:
            job.progress.warning(f"{entry.path} stays: Nerves put it there")
            continue
        try:
            cache.remove(entry.name)
        except BusyError as busy:  # of other inputs: another checkout's, perhaps
            job.progress.warning(f"{entry.path} stays: {busy.brief}")


def open_shell(
    project: Project, name: str, depot: Depot, progress: Progress, *, builder: str = ""
) -> int:
    """Open a shell where an artifact is built, with everything that a step sees.

    Args:
        project: the project.
        name: the package; empty for the project's system, else the project itself.
        depot: where artifacts are.
        progress: hears what is done.
        builder: instead of what the package says.

    Returns:
        the shell's exit status.

    Raises:
        UsageError: there is nothing to open a shell for, or no terminal.
        StaleError: what it needs is not here.
    """
    package = _shell_package(project, name)
    chosen = usable_builder(package, depot, progress, name=builder)
    inputs = {}
    for needed in needed_by(project, package):
        if needed.type.is_platform or not (needed.platform or needed.sites):
            continue
        status = status_of(project, needed, depot)
        if status.path is None or status.where is Where.DOWNLOADED:
            raise StaleError(
                f"{package.name} needs {needed.name}: {status.reason}",
                resolution=f"Get it first: lapstrake artifact get {needed.name}",
            )
        inputs[needed.name] = status.path
    identity = status_of(project, package, depot).identity
    job = job_of(project, package, identity, depot, progress, inputs=inputs)
    require_terminal(job)  # a wait for somebody's build could be long
    with building(job):
        return chosen.shell(job)


def _build_folders(job: Job) -> list[Path]:
    """The build folders of a package, of former versions too."""
    wanted = (job.identity.package, job.identity.host)
    refuse_links(job.folder)
    parent = job.folder.parent
    found = sorted(parent.iterdir()) if parent.is_dir() else []
    return [each for each in found if each.is_dir() and split_name(each.name)[:2] == wanted]


def _clean_folder(job: Job, depot: Depot, progress: Progress) -> None:
    """Every builder removes what it left; then all else goes but the lock, which we hold."""
    for name, trace in _TRACES.items():
        if os.path.lexists(job.folder / trace):
            choose_builder(job.package, depot, progress, name=name).clean(job)
    for entry in job.folder.iterdir():
        if entry.name != LOCK:
            owned.remove_owned(entry)  # volumes of roots may hold other users' files


def package_named(project: Project, name: str) -> Package:
    """Find a package that has an artifact.

    Args:
        project: the project.
        name: the package; empty for the project itself.

    Raises:
        UsageError: there is no such package, or it is none that has an artifact.
    """
    if not name and project.package(project.name) is None:
        able = [each.name for each in project.packages if not each.type.is_platform]
        raise UsageError(
            f"the project {project.name} is no package itself",
            resolution=f"Name one of: {', '.join(able) or 'none'}.",
        )
    return project.named(name or project.name)


def _shell_package(project: Project, name: str) -> Package:
    if not project.packages:
        raise UsageError(f"{project.name} depends on no package: there is nothing to build")
    package = (
        package_named(project, name) if name else project.system or project.package(project.name)
    )
    if package is None:
        raise UsageError(
            f"{project.name} has no system: nothing is built for a target",
            resolution="Add one to its dependencies, or name a package.",
        )
    if package.platform is None:
        raise UsageError(
            f"{package.name} says nothing of how it is built",
            resolution="Only packages with a [platform] have a place to build in.",
        )
    return package
