"""What the pages show, worked out from records: no I/O but the store of blobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from lapstrake.blobs.addresses import parse_digest
from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.referrers import referrers
from lapstrake.errors import StoreError
from lapstrake.image.base import Image
from lapstrake.image.record import find_image
from lapstrake.names import CacheKey, Digest
from lapstrake.registry.demand.records import Record

WIDTH = 1000
"""Of a picture of layers, in its own units."""

_LEAST_WIDTH = 3.0
_SHADES = 6
_DOCUMENTS = (
    ("spdx", "SPDX"),
    ("cyclonedx", "CycloneDX"),
    ("in-toto", "provenance"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerView:
    """One layer of a picture and a table.

    Attributes:
        number: from 1, the lowest.
        size: bytes of the blob.
        what: ``base``, ``packages`` or ``configuration``.
        members: ids of its packages.
        reason: why they are together.
        digest: of the blob.
        left: where it begins in the picture.
        width: how wide it is there.
    """

    number: int
    size: int
    what: str
    members: tuple[str, ...]
    reason: str
    digest: str
    left: float
    width: float

    @property
    def shade(self) -> str:
        """The class of its colour."""
        return f"packages-{self.number % _SHADES}" if self.what == "packages" else self.what

    @property
    def label(self) -> str:
        """What is in it, in a few words."""
        if self.what != "packages":
            return {"base": "base OS"}.get(self.what, self.what)
        names = [member.split("_")[0] for member in self.members]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        return ", ".join(names[:3]) + more


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageView:
    """One image for one machine.

    Attributes:
        arch: the machine.
        image: its record.
        layers: its layers, lowest first.
        documents: bills of material and provenance: name → digest of the document.
    """

    arch: str
    image: Image
    layers: tuple[LayerView, ...]
    documents: tuple[tuple[str, str], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all layers as they are pulled."""
        return sum(layer.size for layer in self.layers)

    @property
    def kinds(self) -> frozenset[str]:
        """What kinds of layers it has."""
        return frozenset(layer.what for layer in self.layers)


def image_views(blobs: BlobStore, record: Record, *, documents: bool = False) -> list[ImageView]:
    """The images behind a record that still are whole, by architecture.

    Args:
        blobs: the store.
        record: the record.
        documents: look their documents up, too.
    """
    found = (
        (arch, find_image(blobs, CacheKey(key)))
        for arch, key in sorted(record.manifests.keys.items())
    )
    return [
        ImageView(
            arch=arch,
            image=image,
            layers=_layers(image),
            documents=tuple(_documents(blobs, image.oci.digest)) if documents else (),
        )
        for arch, image in found
        if image is not None
    ]


def _layers(image: Image) -> tuple[LayerView, ...]:
    """Widths are the sizes' shares, but none is too thin to be seen."""
    total = sum(layer.blob.size for layer in image.layers) or 1
    wanted = [max(layer.blob.size / total * WIDTH, _LEAST_WIDTH) for layer in image.layers]
    scale = WIDTH / sum(wanted) if wanted else 1
    views, left = [], 0.0
    for number, (layer, width) in enumerate(zip(image.layers, wanted, strict=True), 1):
        views.append(
            LayerView(
                number=number,
                size=layer.blob.size,
                what=layer.what,
                members=layer.members,
                reason=layer.reason,
                digest=str(layer.blob.digest),
                left=round(left, 2),
                width=round(width * scale, 2),
            )
        )
        left += width * scale
    return tuple(views)


def _documents(blobs: BlobStore, subject: Digest) -> Iterator[tuple[str, str]]:
    """The documents that refer to an image, as (name, digest of the document)."""
    for row in referrers(blobs, subject):
        kind = str(row.get("artifactType", ""))
        title = next((title for word, title in _DOCUMENTS if word in kind), kind)
        manifest = parse_digest(str(row.get("digest", "")))
        try:
            layers = json.loads(b"".join(blobs.read(manifest)))["layers"] if manifest else []
        except (StoreError, ValueError, KeyError):
            continue
        if layers:
            yield title, layers[0]["digest"]
