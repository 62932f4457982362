"""Archives that tests publish and get again."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lapstrake.artifact.base import Site
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.publishing.base import Parcel, pack_parcel
from lapstrake.artifact.publishing.shelves import publish_archive
from lapstrake.artifact.sites.base import Terms


def identity_of(name: str = "fish", *, inputs: bytes = b"", version: str = "1.2.0+rc1") -> Identity:
    """A tool for this host, made of some inputs."""
    return Identity(
        package=name,
        host="linux_x86_64",
        version=version,
        checksum=hashlib.sha256(inputs).hexdigest().upper(),
        suffix=".tar.gz",
    )


def parcel_of(folder: Path, data: bytes, identity: Identity | None = None) -> Parcel:
    """Some bytes as the archive of an artifact."""
    identity = identity or identity_of()
    archive = folder / identity.file_name
    archive.parent.mkdir(exist_ok=True)
    archive.write_bytes(data)
    return pack_parcel(identity, archive)


def publish(site: Site, parcel: Parcel, *, force: bool = False, terms: Terms | None = None) -> str:
    """Publish, with the environment of the tests."""
    return publish_archive(site, parcel, terms or Terms(pause=0.0), force=force)
