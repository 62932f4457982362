"""What an image consists of, read from its manifests; and its blobs as streams."""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.image.base import Descriptor, Image, ImageIndex, ImageLayer
from lapstrake.image.descriptors import INDEX_TYPES, read_descriptor
from lapstrake.names import Digest

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]  # Python 3.12

PIECE = 1 << 20
"""Bytes read at a time."""


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


def copy_layer(blobs: BlobStore, layer: ImageLayer, file: BinaryIO) -> int:
    """Append a layer's plain tar to a file, and see that it is what it should be.

    Returns:
        its bytes.

    Raises:
        StoreError: the layer is not in the store.
        ImageError: it is damaged, or compressed in an unknown way.
        OSError: the file cannot be written.
    """
    size, hasher = 0, hashlib.new(layer.diff_id.algorithm)
    raw = cast("BinaryIO", io.BufferedReader(_Stream(blobs.read(layer.blob.digest)), PIECE))
    with raw:
        plain = _plain(raw, layer.blob.media_type)
        while piece := _read_plain(plain, layer):
            hasher.update(piece)
            file.write(piece)
            size += len(piece)
    if hasher.hexdigest() != layer.diff_id.hex:
        raise _damaged(layer, f"it unpacks to {hasher.hexdigest()}, not {layer.diff_id.hex}")
    return size


def _read_plain(plain: BinaryIO, layer: ImageLayer) -> bytes:
    try:
        return plain.read(PIECE)
    except _damages() as damage:
        raise _damaged(layer, str(damage)) from damage


def _damaged(layer: ImageLayer, details: str) -> ImageError:
    return ImageError(f"the layer {layer.blob.digest} is damaged", details=details)


def _plain(raw: BinaryIO, media_type: str) -> BinaryIO:
    if media_type.endswith(("+gzip", ".gzip")):
        from isal import igzip

        return cast("BinaryIO", igzip.open(raw, "rb"))  # type: ignore[no-untyped-call]
    if media_type.endswith("+zstd"):
        return cast("BinaryIO", zstd_module().ZstdFile(raw))
    if media_type.endswith(".tar"):
        return raw
    raise ImageError(f"layers of the type {media_type} cannot be read")


def zstd_module() -> Any:  # noqa: ANN401 - one of two modules
    """The zstd module of this Python, or its backport."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


def _damages() -> tuple[type[Exception], ...]:
    """What decompressors raise."""
    from gzip import BadGzipFile

    from isal import isal_zlib

    isal_error = cast("type[Exception]", isal_zlib.IsalError)
    return (EOFError, BadGzipFile, isal_error, zstd_module().ZstdError)


class _Stream(io.RawIOBase):
    """Pieces of bytes as a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Buffer) -> int:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        view = memoryview(target).cast("B")
        count = min(len(view), len(self._rest))
        view[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count
