"""What a name and a tag lead to: requests, and the manifests of what was made of them.

The server and the child that makes use the same functions, so that both mean the same image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.image.base import Image, ImageIndex, ImageRequest
from lapstrake.image.make import made_image, make_image, make_index
from lapstrake.image.names import read_name
from lapstrake.oci.descriptors import Descriptor, descriptor_document, read_descriptor
from lapstrake.place.workplace import Workplace


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifests:
    """One image or index as clients get it.

    Attributes:
        oci: with OCI's media types.
        docker: with Docker's; ``None`` with zstd.
        keys: architecture → the key of the image for it.
    """

    oci: Descriptor
    docker: Descriptor | None
    keys: Mapping[str, str] = field(default_factory=dict)


def requests_of(place: Workplace, name: str, tag: str) -> tuple[ImageRequest, ...]:
    """What a name means, one request for each platform.

    Raises:
        UsageError: it is no name of an image.
    """
    return tuple(read_name(place.config, name, tag))


def single(place: Workplace, requests: Sequence[ImageRequest]) -> ImageRequest:
    """The request whose image a client gets that reads no index: ours if it is among them."""
    ours = (request for request in requests if request.arch is place.config.arch)
    return next(ours, requests[0])


def find(
    place: Workplace, blobs: BlobStore, requests: Sequence[ImageRequest], *, index: bool
) -> Manifests | None:
    """What was made before, in a few milliseconds."""
    images = [made_image(place, blobs, request) for request in requests]
    made = [image for image in images if image is not None]
    if len(made) < len(images):
        return None
    if not index:
        return manifests_of(made[0])
    return manifests_of(make_index(place, blobs, requests, refresh=False))  # of what is there


def make(place: Workplace, blobs: BlobStore, name: str, tag: str, *, index: bool) -> Manifests:
    """Make what a name means.

    Raises:
        LapstrakeError: it cannot be made.
    """
    requests = requests_of(place, name, tag)
    if index:
        return manifests_of(make_index(place, blobs, requests))
    return manifests_of(make_image(place, blobs, single(place, requests)))


def manifests_of(made: Image | ImageIndex) -> Manifests:
    """An image's or an index's manifests."""
    images = made.images if isinstance(made, ImageIndex) else (made,)
    keys = {image.request.arch.value: image.key.hex for image in images}
    return Manifests(oci=made.oci, docker=made.docker, keys=keys)


def manifests_document(made: Manifests) -> dict[str, Any]:
    """As JSON can hold it."""
    docker = descriptor_document(made.docker) if made.docker else None
    return {"oci": descriptor_document(made.oci), "docker": docker, "keys": dict(made.keys)}


def read_manifests(document: Mapping[str, Any]) -> Manifests:
    """Read what `manifests_document` wrote.

    Raises:
        ValueError: it did not write this.
    """
    try:
        docker = read_descriptor(document["docker"]) if document["docker"] else None
        return Manifests(oci=read_descriptor(document["oci"]), docker=docker, keys=document["keys"])
    except (KeyError, TypeError) as lacking:
        raise ValueError(f"no manifests: {lacking}") from lacking
