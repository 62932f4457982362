"""Content descriptors: the media types that we write, and descriptors as JSON (descriptor.md)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lapstrake.blobs.addresses import parse_digest
from lapstrake.formats.keys import Canonical
from lapstrake.names import Digest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST}) | INDEX_TYPES


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """What the OCI image specification calls a content descriptor (descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)


def describe(data: bytes, media_type: str) -> Descriptor:
    """The descriptor of some bytes."""
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    return Descriptor(media_type=media_type, digest=digest, size=len(data))


def descriptor_document(descriptor: Descriptor, media_type: str = "") -> dict[str, Canonical]:
    """A descriptor as JSON, perhaps as another type."""
    document: dict[str, Canonical] = {
        "mediaType": media_type or descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if descriptor.annotations:
        document["annotations"] = dict(descriptor.annotations)
    return document


def read_descriptor(document: Mapping[str, Any]) -> Descriptor:
    """Read what `descriptor_document`, or a manifest, has.

    Raises:
        KeyError, TypeError, ValueError: it is no descriptor.
    """
    return Descriptor(
        media_type=document["mediaType"],
        digest=read_digest(document["digest"]),
        size=document["size"],
        annotations=document.get("annotations") or {},
    )


def read_digest(text: str) -> Digest:
    """Read a digest.

    Raises:
        ValueError: it is none.
    """
    digest = parse_digest(text)
    if digest is None:
        raise ValueError(f"no digest: {text}")
    return digest
