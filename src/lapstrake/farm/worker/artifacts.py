"""Artifacts of an uploaded project, built and packed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.artifact.builders.choose import default_name
from lapstrake.artifact.building.build import BuildRequest, build_artifacts
from lapstrake.artifact.building.workshop import write_archive
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.base import FILE_NAME
from lapstrake.artifact.manifest.project import read_project
from lapstrake.farm.contents.site_owners import NOBODY
from lapstrake.farm.worker.setup import environment
from lapstrake.host.process import clean_environment

if TYPE_CHECKING:
    from lapstrake.config.model import Config
    from lapstrake.farm.values.tasks import TaskSpec
    from lapstrake.progress import Progress


def build_archives(
    folder: Path,
    spec: TaskSpec,
    config: Config,
    progress: Progress,
    *,
    target: Path,
    trusting: bool,
) -> str:
    """Build what a task wants of a project, and write its archives.

    Args:
        folder: the project, or what has the package in a folder of its name.
        spec: the task's; its package, or all of the project that is stale when it names none.
        config: where artifacts are kept.
        progress: hears it.
        target: the folder that gets the archives; made when missing.
        trusting: whether it may run its commands on this machine itself; otherwise all is built in
            roots as soon as one of its packages would be built so.

    Returns:
        the version of the package, or of the project.
    """
    # A project may send variables to sites that it names itself.
    depot = Depot(config=config, environment=environment() if trusting else clean_environment())
    project = read_project(_project_in(folder, spec.package), depot=depot, progress=progress)
    names = (spec.package,) if spec.package else ()
    builders = {default_name(each) for each in project.packages if not each.type.is_platform}
    request = BuildRequest(
        names=names,
        jobs=config.build.jobs,
        force=spec.fresh,
        builder="root" if "local" in builders and not trusting else "",
    )
    built = build_artifacts(project, request, depot, progress)
    wanted = names or tuple(each.package.name for each in built if each.builder) or ("",)
    for name in wanted:
        write_archive(project, name, depot, progress, folder=target)
    return next((each.package.version for each in built if each.package.name in wanted), "")


def own_artifacts(config: Config, owner: str) -> Config:
    """A configuration whose artifacts are those of one user of the farm alone.

    They are found by names and listed inputs, which another user's project may have copied: what
    that made must not be taken for this one's.

    Args:
        config: the worker's.
        owner: whose task it is; nobody in particular has the worker's own folders.
    """
    if owner in NOBODY:
        return config
    folder = config.work_dir / "artifacts-of" / hashlib.sha256(owner.encode()).hexdigest()[:32]
    return replace(
        config,
        artifacts=replace(config.artifacts, folder=folder / "artifacts"),
        cache=replace(config.cache, download_dir=folder / "downloads"),
    )


def _project_in(folder: Path, package: str) -> Path:
    """Where the package's manifest is: packages that lie side by side may need each other."""
    inner = folder / package
    if package and not (folder / FILE_NAME).exists() and (inner / FILE_NAME).is_file():
        return inner
    return folder
