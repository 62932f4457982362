"""An image's root as one tar: all layers over each other, nothing that is gone."""

from __future__ import annotations

import copy
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.image.base import Image, ImageLayer
from lapstrake.image.outputs.content import PIECE, open_layer
from lapstrake.image.outputs.merge import TOP, MergedRoot
from lapstrake.progress import Progress

_ATTRIBUTE = "SCHILY.xattr."  # the pax records that say more than the headers


def write_root_tar(blobs: BlobStore, image: Image, file: BinaryIO, *, progress: Progress) -> None:
    """Write an image's root as a tar; the same image gives the same bytes.

    All folders come first, so that nothing is unpacked into one that is not there; then the rest in
    the order of the layers, hard links right after the file's first name.

    Args:
        blobs: where the layers are.
        image: the image.
        file: what is written, forward only.
        progress: who listens.

    Raises:
        ImageError: a layer is damaged.
        OSError: the file cannot be written.
    """
    root = MergedRoot()
    for layer in image.layers:
        with _layer_tar(blobs, layer) as tar:
            root.add_layer(list(tar))
    others = root.others()
    with tarfile.open(fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE) as output:
        top = root.nodes.get(TOP)
        output.addfile(_renamed(top.header, "./") if top else _top())
        for path, header in root.folders():
            output.addfile(_renamed(header, f"./{path}"))
        for number, layer in enumerate(image.layers):
            progress.output(f"{layer.diff_id} {layer.reason}".rstrip().encode() + b"\n")
            with _layer_tar(blobs, layer) as tar:
                for member, header in enumerate(tar):
                    if paths := others.get((number, member)):
                        _add(output, tar, header, paths)


@contextmanager
def _layer_tar(blobs: BlobStore, layer: ImageLayer) -> Iterator[tarfile.TarFile]:
    with open_layer(blobs, layer.blob) as plain:
        try:
            with tarfile.open(fileobj=plain, mode="r|", bufsize=PIECE) as tar:
                yield tar
        except tarfile.TarError as damaged:
            raise ImageError(f"the layer {layer.blob.digest} is damaged: {damaged}") from damaged


def _add(
    output: tarfile.TarFile, tar: tarfile.TarFile, header: tarfile.TarInfo, paths: list[str]
) -> None:
    """Add a file under its first name, and links to that under the others."""
    first = _renamed(header, f"./{paths[0]}")
    output.addfile(first, cast("BinaryIO", tar.extractfile(header)) if header.isreg() else None)
    for path in paths[1:]:
        link = _renamed(header, f"./{path}")
        link.type, link.linkname, link.size = tarfile.LNKTYPE, first.name, 0
        output.addfile(link)


def _renamed(header: tarfile.TarInfo, name: str) -> tarfile.TarInfo:
    """A header under another name; what it says twice (in pax records) is said once."""
    entry = copy.copy(header)
    entry.name = name
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    entry.pax_headers = {
        key: value for key, value in header.pax_headers.items() if key.startswith(_ATTRIBUTE)
    }
    return entry


def _top() -> tarfile.TarInfo:
    entry = tarfile.TarInfo("./")
    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
    return entry
