"""Layers of images as the plain tars that they were."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, cast

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.formats.zstd import zstd_module
from lapstrake.image.base import ImageLayer

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined]  # Python 3.12

PIECE = 1 << 20
"""Bytes read at a time."""


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
