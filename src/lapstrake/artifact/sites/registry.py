"""Archives in a repository of an OCI registry: one artifact manifest each, by tag.

The tag is the archive's name without its suffix, as `lapstrake.oci.file_artifact.tag_of` spells it;
the manifest's only layer is the archive, so its digest vouches for the bytes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.artifact.base import OciSite
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.sites.base import NotThereError, SiteError, Terms
from lapstrake.artifact.sites.others import describe_others
from lapstrake.errors import LapstrakeError
from lapstrake.oci.file_artifact import FileArtifact, read_manifest, tag_of
from lapstrake.oci.grammar import name_fault
from lapstrake.oci.repository import Repository, is_host
from lapstrake.progress import Progress

if TYPE_CHECKING:
    from lapstrake.oci.client import RegistryClient

KIND = "application/vnd.lapstrake.artifact.v1"
"""The ``artifactType`` of our manifests; others are taken, too, if they have one fitting file."""
CHECKSUM = "lapstrake.artifact.checksum"
"""The annotation with the checksum of the inputs, all 64 digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryPlace:
    """The tag that the archive should have."""

    repository: Repository
    identity: Identity

    @property
    def tag(self) -> str:
        """The tag."""
        return tag_of(self.identity.download_name)

    @property
    def where(self) -> str:
        """The address, for people."""
        return f"oci:{self.repository}:{self.tag}"

    def get(self, target: Path, terms: Terms, progress: Progress) -> None:  # noqa: ARG002
        """See `lapstrake.artifact.sites.base.Candidate.get`."""
        from lapstrake.oci.pull import get_blob

        terms.need_network()
        with judged(), opened(self.repository, terms, actions="pull") as client:
            found = self._find(client)
            if found.file.size > terms.largest:
                raise SiteError(f"it has {found.file.size} bytes, {terms.largest} are the most")
            get_blob(client, found.file, target, retries=terms.retries, on_bytes=terms.on_bytes)

    def _find(self, client: RegistryClient) -> FileArtifact:
        """What the tag stands for, which must be the very file that is looked for."""
        from lapstrake.oci.pull import get_manifest

        document = get_manifest(client, self.tag)
        if document is None:
            raise NotThereError(f"no such tag{self._others(client)}")
        try:
            found = read_manifest(document)
        except ValueError as wrong:
            raise SiteError(str(wrong)) from wrong
        if found.title != self.identity.file_name:
            raise NotThereError(f"the tag is of another file: {found.title!r}")
        checksum = found.annotations.get(CHECKSUM, self.identity.checksum)
        if checksum != self.identity.checksum:
            raise NotThereError(f"the tag was made from other inputs: {checksum!r}")
        return found

    def _others(self, client: RegistryClient) -> str:
        """What there is of the same package, in words."""
        from lapstrake.oci.pull import list_tags

        version = self.identity.version
        with contextlib.suppress(LapstrakeError):  # a hint, no more
            names = [tag.replace(tag_of(version), version) for tag in list_tags(client)]
            return describe_others(self.identity, names)
        return ""


def plan_registry(site: OciSite, identity: Identity) -> tuple[RegistryPlace]:
    """The tag that the archive should have.

    Raises:
        SiteError: the site names no repository.
    """
    return (RegistryPlace(repository=repository_of(site), identity=identity),)


def repository_of(site: OciSite) -> Repository:
    """The repository that a site names.

    Raises:
        SiteError: it names none.
    """
    host, _, name = site.repository.partition("/")
    if not is_host(host):
        raise SiteError(f"{host!r} is no host of a registry")
    if fault := name_fault(name):
        raise SiteError(f"the name {name!r} {fault}")
    # A listener could learn a password that only TLS protects: without it a fetched package is
    # believed that there is a registry, but not that it may know us.
    return Repository(host=host, name=name, plain=site.plain, anonymous=site.foreign and site.plain)


@contextlib.contextmanager
def opened(repository: Repository, terms: Terms, *, actions: str) -> Iterator[RegistryClient]:
    """A connected client.

    Raises:
        RegistryError: the registry cannot be reached.
        ConfigError: a file of credentials is damaged.
    """
    from lapstrake.oci.client import RegistryClient

    client = RegistryClient(
        repository,
        actions=actions,
        silence=terms.timeout,
        attempts=terms.retries + 1,
        pause=terms.pause,
    )
    with contextlib.closing(client), terms.cancelled.calling(client.stop):
        client.connect()
        yield client


@contextlib.contextmanager
def judged() -> Iterator[None]:
    """Say in one line what a registry refused.

    Raises:
        SiteError: in place of our errors.
    """
    try:
        yield
    except LapstrakeError as failed:
        more = failed.details.strip().partition("\n")[0] or failed.resolution
        raise SiteError(f"{failed.brief}: {more}" if more else failed.brief) from failed
