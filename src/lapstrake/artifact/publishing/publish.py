"""From a package of a project to its archive on a site."""

from __future__ import annotations

from lapstrake.artifact.base import Project
from lapstrake.artifact.building.workshop import package_named, write_archive
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.keeping.status import Where, status_of
from lapstrake.artifact.publishing.base import pack_parcel
from lapstrake.artifact.publishing.shelves import publish_archive
from lapstrake.artifact.publishing.target import target_site
from lapstrake.artifact.sites.base import Terms
from lapstrake.errors import ArtifactError
from lapstrake.progress import Progress


def publish_artifact(
    project: Project,
    name: str,
    to: str,
    depot: Depot,
    terms: Terms,
    progress: Progress,
    *,
    plain: bool = False,
    force: bool = False,
) -> str:
    """Publish the artifact of a package that is here, for its present inputs.

    Args:
        project: the project.
        name: the package; empty for the project itself.
        to: see `publishing.target.target_site`.
        depot: where artifacts are.
        terms: see `publishing.shelves.publish_archive`.
        progress: hears what is done.
        plain: talk to a registry without TLS.
        force: replace other bytes of the same name.

    Returns:
        a line for people: where it is.

    Raises:
        StaleError: there is no artifact of these inputs.
        ArtifactError: nobody knows what it was made of; or see `publish_archive`.
    """
    package = package_named(project, name)
    site = target_site(to, package, plain=plain)
    status = status_of(project, package, depot)
    if status.where is Where.OVERRIDE:
        raise ArtifactError(
            f"{package.name} cannot be published: {status.reason}",
            resolution="Unset the variable: what is published was made of what its name says.",
        )
    progress.headline(f"reading {status.identity.file_name}")
    archive = write_archive(project, package.name, depot, progress, folder=depot.downloads)
    parcel = pack_parcel(status.identity, archive)
    progress.headline(f"publishing {parcel.archive.name}")
    return publish_archive(site, parcel, terms, force=force)
