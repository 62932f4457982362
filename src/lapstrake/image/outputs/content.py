"""What an image consists of, read from its manifests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.image.base import Image, ImageIndex
from lapstrake.names import Digest
from lapstrake.oci.descriptors import INDEX_TYPES, Descriptor, read_descriptor


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that an image, or an index of images, consists of.

    Attributes:
        top: its own manifest or index.
        manifests: all manifests, each after those that it names; `top` is the last.
        blobs: configurations and layers, no twins.
    """

    top: Descriptor
    manifests: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


def content_of(blobs: BlobStore, top: Descriptor) -> Content:
    """Follow a manifest or an index to everything it names.

    Raises:
        StoreError: a manifest is not in the store.
        ImageError: it is damaged.
    """
    manifests: dict[Digest, Descriptor] = {}
    parts: dict[Digest, Descriptor] = {}

    def visit(descriptor: Descriptor) -> None:
        document = read_document(blobs, descriptor.digest)
        if descriptor.media_type in INDEX_TYPES:
            for entry in document.get("manifests", []):
                visit(read_descriptor(entry))
        else:
            for entry in (document["config"], *document["layers"]):
                part = read_descriptor(entry)
                parts.setdefault(part.digest, part)
        manifests.setdefault(descriptor.digest, descriptor)

    visit(top)
    return Content(top=top, manifests=tuple(manifests.values()), blobs=tuple(parts.values()))


def read_blob(blobs: BlobStore, digest: Digest) -> bytes:
    """A small blob's bytes."""
    return b"".join(blobs.read(digest))


def read_document(blobs: BlobStore, digest: Digest) -> dict[str, Any]:
    """A blob that is a JSON object.

    Raises:
        StoreError: it is not in the store.
        ImageError: it is none.
    """
    try:
        document = json.loads(read_blob(blobs, digest))
    except ValueError as damaged:
        raise ImageError(f"{digest} is no manifest: {damaged}") from damaged
    if not isinstance(document, dict):
        raise ImageError(f"{digest} is no manifest")
    return document


def one_image(image: Image | ImageIndex, *, arch: str = "") -> Image:
    """The only image of an index, for what can hold but one.

    Args:
        image: an image, or an index of them.
        arch: the one to take where there are several; empty: none is better than the others.

    Raises:
        ImageError: there are several.
    """
    images = image.images if isinstance(image, ImageIndex) else (image,)
    fitting = [each for each in images if each.request.arch == arch] or list(images)
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(each.request.arch for each in images)
    raise ImageError(
        f"there are images for {names}, and only one can be written there",
        resolution="Say which one with --arch, or write all of them to oci: or docker://.",
    )
