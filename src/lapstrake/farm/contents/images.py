"""The images that were made on the server, and which layers they share."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from lapstrake.config.model import Config
from lapstrake.image.base import Image
from lapstrake.image.manifest import said
from lapstrake.image.record import all_images


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """A layer that images have.

    Attributes:
        digest: of its blob.
        size: bytes of the blob.
        content: what is in it, for people.
        images: how many images have it.
    """

    digest: str
    size: int
    content: str
    images: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """An image.

    Attributes:
        name: what was asked for, ``hello/jq``.
        tag: the branch, or a revision.
        arch: the machine it is for.
        key: of its record.
        digest: of its manifest.
        size: bytes of all its layers.
        layers: digests of its layers, lowest first.
    """

    name: str
    tag: str
    arch: str
    key: str
    digest: str
    size: int
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStore:
    """All images and their layers.

    Attributes:
        images: by name.
        layers: by digest.
    """

    images: tuple[ImageFacts, ...]
    layers: dict[str, LayerFacts]

    @property
    def stored(self) -> int:
        """Bytes that are kept: each layer once."""
        return sum(layer.size for layer in self.layers.values())

    @property
    def pulled(self) -> int:
        """Bytes that the images have together: a layer as often as it is used."""
        return sum(image.size for image in self.images)


def image_store(config: Config) -> ImageStore:
    """Look at all images that are whole."""
    from lapstrake.blobs.open import open_blobs

    made = sorted(all_images(open_blobs(config)), key=_name)
    uses = Counter(str(layer.blob.digest) for image in made for layer in image.layers)
    layers = {
        str(layer.blob.digest): LayerFacts(
            digest=str(layer.blob.digest),
            size=layer.blob.size,
            content=said(layer),
            images=uses[str(layer.blob.digest)],
        )
        for image in made
        for layer in image.layers
    }
    return ImageStore(images=tuple(_facts(image) for image in made), layers=layers)


def _facts(image: Image) -> ImageFacts:
    return ImageFacts(
        name=_name(image)[0],
        tag=image.request.tag,
        arch=str(image.request.arch),
        key=image.key.hex,
        digest=str(image.oci.digest),
        size=sum(layer.blob.size for layer in image.layers),
        layers=tuple(str(layer.blob.digest) for layer in image.layers),
    )


def _name(image: Image) -> tuple[str, str, str]:
    return "/".join(image.request.asked), image.request.tag, str(image.request.arch)
