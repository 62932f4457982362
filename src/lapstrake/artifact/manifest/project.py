"""Read a project: a package or an application, and all that it depends on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from lapstrake.artifact.base import (
    OciSite,
    Origin,
    Package,
    PackageType,
    Project,
    ReleaseSite,
    Site,
    SshAccess,
    UrlSite,
)
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.base import FILE_NAME, Manifest
from lapstrake.artifact.manifest.gather import Gathering, Member, place_of
from lapstrake.artifact.manifest.platforms import with_platform
from lapstrake.artifact.manifest.read import read_manifest
from lapstrake.errors import ProjectError
from lapstrake.progress import Progress, Silent

_ONLY_ONE = (PackageType.SYSTEM, PackageType.TOOLCHAIN)


def read_project(
    folder: Path, *, depot: Depot, progress: Progress | None = None, offline: bool = False
) -> Project:
    """Read a project; packages that it needs from elsewhere are fetched, and kept.

    Args:
        folder: the project's folder, or one below it.
        depot: where fetched packages, and what is remembered of manifests, go.
        progress: hears what is fetched.
        offline: fetch nothing, even if the configuration lets us; what was fetched before is used.

    Raises:
        ProjectError: a manifest is missing or wrong, dependencies go in circles, two packages have
            one name, there are two systems or toolchains, or a target without a system.
        FetchError: a package could not be fetched; likewise ChecksumError and UnpackError.
    """
    records = depot.packages / ".manifests"
    top = read_manifest(project_folder(folder), records=records)
    members = Gathering(
        top=top,
        depot=depot,
        progress=progress or Silent(),
        offline=offline or depot.config.artifacts.offline,
        records=records,
    ).run()
    order = _order(members)
    drafts = {
        name: _draft(package, members, top)
        for name in order
        if (package := members[name].manifest.package) is not None
    }
    packages = tuple(with_platform(members[name].manifest, drafts) for name in drafts)
    _check_types(packages, members)
    read = (file for member in members.values() for file in _files(member.manifest))
    return replace(_project(top, packages), files=tuple(read))


def project_folder(folder: Path) -> Path:
    """The folder itself, or the nearest around it, that has a ``lapstrake.toml``.

    Raises:
        ProjectError: there is none; or the nearest is another user's: in ``/tmp`` anybody could
            leave one, and its commands would run.
    """
    start = folder.absolute()
    for place in (start, *start.parents):
        if not (place / FILE_NAME).is_file():
            continue
        owner = (place / FILE_NAME).stat().st_uid
        if place != start and owner not in (os.geteuid(), 0, start.stat().st_uid):
            raise ProjectError(
                f"{place / FILE_NAME} belongs to another user",
                resolution=f"If you trust it, go to {place}.",
            )
        return place
    raise ProjectError(
        f"neither {start} nor a folder around it has a {FILE_NAME}",
        resolution="Go to a project's folder; docs/reference/packages.md describes the file.",
    )


def _files(manifest: Manifest) -> tuple[Path, ...]:
    """What was read to know a manifest."""
    if not manifest.version_file:
        return (manifest.file,)
    return (manifest.file, manifest.folder / manifest.version_file)


def _order(members: Mapping[str, Member]) -> list[str]:
    """The names, each behind those it needs.

    Raises:
        ProjectError: they go in circles.
    """
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for name, member in members.items():
        sorter.add(name, *(each.name for each in member.manifest.dependencies))
    try:
        return list(sorter.static_order())
    except CycleError as circle:
        names = list(reversed(circle.args[1]))  # now each depends on the next
        first = members[names[0]].manifest
        raise ProjectError(
            f"{place_of(first, 'dependencies', names[1])}: dependencies go in circles: "
            f"{' -> '.join(names)}"
        ) from circle


def _draft(package: Package, members: Mapping[str, Member], top: Manifest) -> Package:
    """A package as its own manifest describes it, with what others decide about it."""
    name, origin = package.name, members[package.name].origin
    override = next((each for each in top.overrides if each.name == name), None)
    if origin is Origin.PROJECT:
        allowed = True
    elif override is not None and override.build is not None:
        allowed = override.build
    else:
        wants = (need for each in members.values() for need in each.manifest.dependencies)
        allowed = any(need.build for need in wants if need.name == name)
    package = replace(package, origin=origin, build_allowed=allowed, inside=members[name].inside)
    if origin is not Origin.FETCHED:
        return package
    runner = package.runner
    if runner.ssh is SshAccess.AGENT and not (override and override.ssh):
        runner = replace(runner, ssh=SshAccess.DENIED)
    return replace(package, runner=runner, sites=tuple(map(_foreign, package.sites)))


def _foreign(site: Site) -> Site:
    return (
        replace(site, foreign=True) if isinstance(site, UrlSite | ReleaseSite | OciSite) else site
    )


def _check_types(packages: tuple[Package, ...], members: Mapping[str, Member]) -> None:
    for kind in _ONLY_ONE:
        found = [package for package in packages if package.type is kind]
        if len(found) > 1:
            raise ProjectError(
                f"a project has at most one {kind}, here are {len(found)}: "
                f"{', '.join(package.name for package in found)}",
                details="\n".join(
                    f"{package.name}: {members[package.name].need.where}" for package in found
                ),
            )


def _project(top: Manifest, packages: tuple[Package, ...]) -> Project:
    project = Project(
        name=top.name, version=top.version, folder=top.folder, packages=packages,
        env=top.env, firmware=top.firmware, file=top.file,
    )  # fmt: skip
    if top.target and top.package is None and project.system is None:
        raise ProjectError(
            f"{place_of(top, 'project', 'target')}: the target is {top.target}, but no dependency "
            "is a system",
            details="The host's own compiler would be used.",
            resolution="Depend on a system for it, or leave the target out.",
        )
    tuples = (top, project.system, project.toolchain)
    target = next((each.target for each in tuples if each is not None and each.target), "")
    return replace(project, target=target)
