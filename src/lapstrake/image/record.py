"""What was made, as documents of the store of blobs: ``images/KEY.json``, ``layers/KEY.json``."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.config.model import Compression, Strategy
from lapstrake.formats.keys import Canonical, canonical_json
from lapstrake.image.base import Image, ImageLayer, ImageRequest
from lapstrake.names import Arch, CacheKey, Digest
from lapstrake.oci.descriptors import Descriptor, descriptor_document, read_descriptor, read_digest

_IMAGES, _LAYERS = "images/", "layers/"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedLayer:
    """A layer as it was packed.

    Attributes:
        blob: the compressed tar.
        diff_id: digest of the plain tar.
        plain_size: bytes of the plain tar.
    """

    blob: Descriptor
    diff_id: Digest
    plain_size: int


def find_layer(blobs: BlobStore, key: CacheKey) -> PackedLayer | None:
    """A layer that was packed before, if its blob is still there."""
    document = _read(blobs, f"{_LAYERS}{key}.json")
    try:
        if document is None:
            return None
        packed = PackedLayer(
            blob=read_descriptor(document["blob"]),
            diff_id=read_digest(document["diff_id"]),
            plain_size=document["plain_size"],
        )
    except (KeyError, TypeError, ValueError):
        return None
    return packed if blobs.find(packed.blob.digest) is not None else None


def record_layer(blobs: BlobStore, key: CacheKey, packed: PackedLayer) -> None:
    """Remember a layer; its blob is stored."""
    document: dict[str, Canonical] = {
        "blob": descriptor_document(packed.blob),
        "diff_id": str(packed.diff_id),
        "plain_size": packed.plain_size,
    }
    blobs.write(f"{_LAYERS}{key}.json", canonical_json(document))


def all_layers(blobs: BlobStore) -> tuple[tuple[CacheKey, PackedLayer], ...]:
    """All layers that were packed and are still there, by key."""
    names = [name.removeprefix(_LAYERS).removesuffix(".json") for name in blobs.names(_LAYERS)]
    found = ((CacheKey(name), find_layer(blobs, CacheKey(name))) for name in names)
    return tuple((key, layer) for key, layer in found if layer is not None)


def forget_layer(blobs: BlobStore, key: CacheKey) -> bool:
    """Forget a layer; a collection then takes its blob, unless an image has it."""
    return blobs.delete(f"{_LAYERS}{key}.json")


def find_image(blobs: BlobStore, key: CacheKey) -> Image | None:
    """An image that was made before, if all its blobs are still there."""
    data = blobs.document(f"{_IMAGES}{key}.json")
    image = None if data is None else _image(data)
    if image is None:
        return None
    own = [image.config, image.oci, *([image.docker] if image.docker else [])]
    needed = [*own, *(layer.blob for layer in image.layers)]
    whole = all(blobs.known(descriptor.digest) for descriptor in needed)
    return image if whole else None


@functools.lru_cache(maxsize=128)
def _image(data: bytes) -> Image | None:
    """Read an image's document; a registry reads the same ones again and again."""
    try:
        return read_image(json.loads(data))
    except (KeyError, TypeError, ValueError):
        return None  # it is made anew


def record_image(blobs: BlobStore, image: Image) -> None:
    """Remember an image; its blobs are stored."""
    blobs.write(f"{_IMAGES}{image.key}.json", canonical_json(image_document(image)))


def forget_image(blobs: BlobStore, image: Image) -> bool:
    """Forget an image; a collection then takes the blobs that nothing else names."""
    return blobs.delete(f"{_IMAGES}{image.key}.json")


def all_images(blobs: BlobStore) -> tuple[Image, ...]:
    """All images that were made and are still whole, by key."""
    names = [name.removeprefix(_IMAGES).removesuffix(".json") for name in blobs.names(_IMAGES)]
    images = (find_image(blobs, CacheKey(name)) for name in names if len(name) == 64)
    return tuple(image for image in images if image is not None)


def image_document(image: Image) -> dict[str, Any]:
    """An image as JSON can hold it."""
    request = asdict(image.request)
    return {
        "key": image.key.hex,
        "request": {name: _plain(value) for name, value in request.items()},
        "config": descriptor_document(image.config),
        "layers": [_layer_row(layer) for layer in image.layers],
        "oci": descriptor_document(image.oci),
        "docker": descriptor_document(image.docker) if image.docker else None,
        "packages": list(image.packages),
    }


def read_image(document: Mapping[str, Any]) -> Image:
    """Read what `image_document` wrote.

    Raises:
        KeyError, TypeError, ValueError: it did not write this.
    """
    return Image(
        key=CacheKey(document["key"]),
        request=_request(document["request"]),
        config=read_descriptor(document["config"]),
        layers=tuple(_layer(row) for row in document["layers"]),
        oci=read_descriptor(document["oci"]),
        docker=read_descriptor(document["docker"]) if document["docker"] else None,
        packages=tuple(document["packages"]),
    )


def _request(row: Mapping[str, Any]) -> ImageRequest:
    lists = ("packages", "asked", "command", "entrypoint")
    return ImageRequest(
        **{
            **row,
            **{name: tuple(row[name]) for name in lists},
            "arch": Arch(row["arch"]),
            "strategy": Strategy(row["strategy"]),
            "compression": Compression(row["compression"]),
        }
    )


def _layer_row(layer: ImageLayer) -> dict[str, Any]:
    return {
        "blob": descriptor_document(layer.blob),
        "diff_id": str(layer.diff_id),
        "members": list(layer.members),
        "what": layer.what,
        "reason": layer.reason,
    }


def _layer(row: Mapping[str, Any]) -> ImageLayer:
    return ImageLayer(
        blob=read_descriptor(row["blob"]),
        diff_id=read_digest(row["diff_id"]),
        members=tuple(row["members"]),
        what=row["what"],
        reason=row["reason"],
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _read(blobs: BlobStore, name: str) -> dict[str, Any] | None:
    data = blobs.document(name)
    if data is None:
        return None
    try:
        document = json.loads(data)
    except ValueError:
        return None  # it is made anew
    return document if isinstance(document, dict) else None
