"""Publishing into a registry: the archive as an OCI artifact with a tag of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapstrake.artifact.base import OciSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.sites.base import Terms
from lapstrake.artifact.sites.registry import CHECKSUM, KIND, RegistryPlace, opened, plan_registry
from lapstrake.names import Digest
from lapstrake.oci.descriptors import Descriptor
from lapstrake.oci.file_artifact import FileArtifact, read_manifest

if TYPE_CHECKING:
    from lapstrake.oci.client import RegistryClient

_MEDIA_TYPES = {".gz": "application/gzip", ".xz": "application/x-xz", ".zst": "application/zstd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryShelf:
    """See `base.Shelf`."""

    client: RegistryClient
    place: RegistryPlace
    parcel: Parcel
    terms: Terms

    @property
    def where(self) -> str:
        """See `Shelf`."""
        return self.place.where

    def find(self) -> str | None:
        """See `Shelf`; a tag that was made from other inputs is something else."""
        from lapstrake.oci.pull import get_manifest

        document = get_manifest(self.client, self.place.tag)
        if document is None:
            return None
        try:
            found = read_manifest(document)
        except ValueError as wrong:
            return str(wrong)
        ours = _facts(artifact_of(self.parcel))
        return self.parcel.sha256 if _facts(found) == ours else ", ".join(_facts(found))

    def put(self) -> None:
        """See `Shelf`; the tag is set last."""
        from lapstrake.oci.push_file import push_file

        push_file(
            self.client,
            artifact_of(self.parcel),
            self.parcel.archive,
            tag=self.place.tag,
            on_bytes=self.terms.on_bytes,
        )


def artifact_of(parcel: Parcel) -> FileArtifact:
    """What the manifest says of a parcel; nothing in it changes with time."""
    identity = parcel.identity
    media_type = _MEDIA_TYPES.get(parcel.archive.suffix, "application/octet-stream")
    return FileArtifact(
        kind=KIND,
        title=identity.file_name,
        file=Descriptor(
            media_type=media_type, digest=Digest("sha256", parcel.sha256), size=parcel.size
        ),
        annotations={
            CHECKSUM: identity.checksum,
            "lapstrake.artifact.package": identity.package,
            "lapstrake.artifact.host": identity.host,
            "org.opencontainers.image.version": identity.version,
        },
    )


def _facts(artifact: FileArtifact) -> tuple[str, str, str]:
    """What makes two artifacts the same."""
    return artifact.title, str(artifact.file.digest), artifact.annotations.get(CHECKSUM, "")


@contextmanager
def registry_shelf(site: OciSite, parcel: Parcel, terms: Terms) -> Iterator[RegistryShelf]:
    """Open a repository.

    Raises:
        SiteError: the site names none.
        RegistryError: the registry refuses, or cannot be reached.
    """
    (place,) = plan_registry(site, parcel.identity)
    with opened(place.repository, terms, actions="pull,push") as client:
        yield RegistryShelf(client=client, place=place, parcel=parcel, terms=terms)
