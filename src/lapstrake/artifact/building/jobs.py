"""From a project to the job of a builder: folders, inputs, variables."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from lapstrake.artifact.base import Package, Project
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.inputs.checksum import source_checksum
from lapstrake.artifact.using.environment import epoch_of
from lapstrake.errors import ProjectError
from lapstrake.progress import Progress

EPOCH = 315_532_800
"""1980, for the times in archives where nobody says another: the same for all checkouts."""


def job_of(
    project: Project,
    package: Package,
    identity: Identity,
    depot: Depot,
    progress: Progress,
    *,
    inputs: Mapping[str, Path],
) -> Job:
    """Say what a builder has to make.

    Args:
        project: the project.
        package: its package to be built.
        identity: what the archive is to be called.
        depot: where everything is.
        progress: hears the headlines.
        inputs: artifacts that the package needs, by name.

    Raises:
        ProjectError: the machinery, or the defconfig, cannot be read; or ``SOURCE_DATE_EPOCH`` is
            no number.
    """
    folder = depot.build_folder(package, identity)
    variables = _environment(project, package)
    epoch = epoch_of(depot, variables)
    return Job(
        package=package,
        platform=project.platform_of(package),
        identity=identity,
        folder=folder,
        downloads=depot.downloads,
        artifacts=depot.artifacts,
        inputs=inputs,
        toolchain=_only(project.toolchain, inputs),
        system=_only(project.system, inputs),
        machinery=_machinery(project, package),
        environment={**variables, **epoch},
        log=folder / "build.log",
        progress=progress,
        jobs=depot.config.build.jobs or os.cpu_count() or 1,
        epoch=int(epoch.get("SOURCE_DATE_EPOCH", EPOCH)),
    )


def needed_by(project: Project, package: Package) -> tuple[Package, ...]:
    """The packages that one needs, and those that they need, in the project's order."""
    names = {dependency.name for dependency in package.dependencies}
    if package.platform and package.platform.package:
        names.add(package.platform.package)
    for other in reversed(project.packages):  # those that need come behind what they need
        if other.name in names:
            names |= {dependency.name for dependency in other.dependencies}
    return tuple(each for each in project.packages if each.name in names)


def _only(package: Package | None, inputs: Mapping[str, Path]) -> str:
    return package.name if package and package.name in inputs else ""


def _machinery(project: Project, package: Package) -> str:
    """A hash of what preparing reads besides the package's own listed files."""
    platform = project.platform_of(package)
    parts = [platform.version, source_checksum(platform)] if platform else []
    defconfig = package.platform.defconfig if package.platform else ""
    if defconfig:
        file = package.folder / defconfig
        try:
            parts.append(hashlib.sha256(file.read_bytes()).hexdigest())
        except OSError as missing:
            raise ProjectError(
                f"{package.file or package.name}: platform.defconfig: {file}: {missing.strerror}"
            ) from missing
    return " ".join(parts)


def _environment(project: Project, package: Package) -> dict[str, str]:
    """Variables of the packages that it needs, then its own, then the project's."""
    variables: dict[str, str] = {}
    for each in (*needed_by(project, package), package):
        variables |= each.env
    return variables | dict(project.env)
