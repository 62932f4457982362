"""All that is known of one package's artifact, for people and programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lapstrake.artifact.base import Package, Project
from lapstrake.artifact.building.gate import Wish
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.identity import SHORT, override_variable
from lapstrake.artifact.keeping.status import Status, Where, status_of
from lapstrake.errors import ArtifactError, UsageError
from lapstrake.host.files import copy_atomic, disk_error

_FWUP_CONF = Path("images", "fwup.conf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """One package's artifact.

    Attributes:
        status: what it is called, where it is, why it is stale.
        base: the folder of all artifacts.
        archive: where its archive is looked for, and put.
        build_path: where it is built.
        sites: the addresses that are asked, in order, without secrets.
        variable: the variable that names another artifact.
        fate: what a build of the project does with it, one line.
        needed_by: the packages that depend on it, or the application.
    """

    status: Status
    base: Path
    archive: Path
    build_path: Path
    sites: tuple[str, ...]
    variable: str
    fate: str
    needed_by: tuple[str, ...]

    @property
    def document(self) -> dict[str, object]:
        """For programs."""
        package, identity, status = self.status.package, self.status.identity, self.status
        return {
            "package": package.name,
            "type": package.type.value,
            "version": package.version,
            "target": package.target,
            "origin": package.origin.value,
            "folder": str(package.folder),
            "checksum": identity.checksum,
            "short_checksum": identity.checksum[:SHORT],
            "name": identity.name,
            "download_name": identity.download_name,
            "file": identity.file_name,
            "archive": str(self.archive),
            "where": status.where.value,
            "path": str(status.path) if status.path else None,
            "stale": status.stale,
            "reason": status.reason,
            "changed": list(status.changed),
            "sites": list(self.sites),
            "base_dir": str(self.base),
            "build_path": str(self.build_path),
            "override": self.variable,
            "fate": self.fate,
            "needed_by": list(self.needed_by),
            "inputs": list(status.inputs.files),
            "unmatched": list(status.inputs.unmatched),
        }


def find_package(project: Project, name: str = "") -> Package:
    """The package of that name; without one, the project itself, or the only one with an artifact.

    Raises:
        UsageError: there is no such package, it has no artifact, or one must be named.
    """
    if name:
        return project.named(name)
    able = [each for each in project.packages if not each.type.is_platform]
    own = project.package(project.name)
    candidates = [own] if own in able else able
    if len(candidates) != 1 or candidates[0] is None:
        known = ", ".join(each.name for each in able) or "none"
        raise UsageError(
            f"{project.name} has no artifact of its own", resolution=f"Name one of: {known}."
        )
    return candidates[0]


def details_of(project: Project, package: Package, depot: Depot) -> Details:
    """Find out all about a package's artifact; nothing is fetched or built.

    Raises:
        ArtifactError: it is a platform's, which has none; or see `status_of`.
        ProjectError: a file that the checksum covers cannot be read.
    """
    status = status_of(project, package, depot)
    return Details(
        status=status,
        base=depot.artifacts,
        archive=depot.downloads / status.identity.file_name,
        build_path=depot.build_folder(package, status.identity),
        sites=tuple(_addresses(status)),
        variable=override_variable(package),
        fate=_fate(project, status),
        needed_by=_needed_by(project, package),
    )


def copy_fwup_conf(status: Status, target: Path) -> None:
    """Copy a system's ``fwup.conf`` out of its artifact.

    Raises:
        ArtifactError: the artifact is not here, or has none.
        StoreError: the target cannot be written.
    """
    name = status.package.name
    if status.path is None or status.where is Where.DOWNLOADED:
        raise ArtifactError(
            f"the artifact of {name} is not here: {status.reason}",
            resolution=f"Get it first: lapstrake artifact get {name}",
        )
    source = status.path / _FWUP_CONF
    if not source.is_file():
        raise ArtifactError(f"the artifact of {name} has no {_FWUP_CONF}: {status.path}")
    try:
        copy_atomic(source, target / _FWUP_CONF.name if target.is_dir() else target)
    except OSError as refused:
        raise disk_error(refused, doing=f"writing {target}") from refused


def _addresses(status: Status) -> Iterator[str]:
    from lapstrake.artifact.sites.base import SiteError
    from lapstrake.artifact.sites.resolve import plan

    for site in status.package.sites:
        try:
            for candidate in plan(site, status.identity, status.package):
                yield candidate.where
        except SiteError as wrong:
            yield str(wrong)


def _fate(project: Project, status: Status) -> str:
    """What happens to the artifact when somebody builds the project."""
    package = status.package
    if status.where is Where.DOWNLOADED:
        return "its archive is unpacked"
    if not status.stale:
        return "it is used as it is"
    asked = package.name == project.name and package.platform is not None
    if not package.platform and not package.sites:
        return "it is passed over: it has no sites, and nothing says how it is built"
    first = "its sites are asked; if they do not have it, " if package.sites else ""
    if not package.platform:
        return f"{first}the work ends, since nothing says how it is built"
    if Wish(package=package, asked=asked).allowed:
        return f"{first}it is built here"
    return f"{first}the work ends, unless it is named to be built, or allowed with build = true"


def _needed_by(project: Project, package: Package) -> tuple[str, ...]:
    found = tuple(
        each.name
        for each in project.packages
        if any(dependency.name == package.name for dependency in each.dependencies)
    )
    return found if found or package.name == project.name else (project.name,)
