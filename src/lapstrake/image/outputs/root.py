"""An image's root as one tar: all layers over each other, nothing that is gone."""

from __future__ import annotations

import contextlib
import copy
import tarfile
import tempfile
from typing import BinaryIO

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.image.base import Image, ImageLayer
from lapstrake.image.outputs.layers import PIECE, copy_layer
from lapstrake.image.outputs.merge import TOP, MergedRoot, Node
from lapstrake.progress import Progress

_ATTRIBUTE = "SCHILY.xattr."  # the pax records that say more than the headers


def write_root_tar(blobs: BlobStore, image: Image, file: BinaryIO, *, progress: Progress) -> None:
    """Write an image's root as a tar; the same root gives the same bytes, whatever its layers.

    Each folder comes right before all that is in it, so that tar(1) can restore its time. Layers
    are unpacked in the store's scratch folder meanwhile.

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
    with contextlib.ExitStack() as stack:
        layers = []
        for layer in image.layers:
            progress.output(f"{layer.diff_id} {layer.reason}".rstrip().encode() + b"\n")
            plain = stack.enter_context(tempfile.TemporaryFile(dir=blobs.scratch))
            copy_layer(blobs, layer, plain)
            layers.append(_open_tar(plain, layer))
            root.add_layer(layers[-1].getmembers())
        with tarfile.open(
            fileobj=file, mode="w|", format=tarfile.PAX_FORMAT, bufsize=PIECE
        ) as output:
            if TOP not in root.nodes:
                output.addfile(_top())
            _add_all(output, root, layers)


def _open_tar(plain: BinaryIO, layer: ImageLayer) -> tarfile.TarFile:
    """Read all of a tar's headers."""
    plain.seek(0)
    try:
        tar = tarfile.TarFile(fileobj=plain)
        tar.getmembers()
    except tarfile.TarError as damage:
        raise ImageError(
            f"the layer {layer.blob.digest} is damaged", details=str(damage)
        ) from damage
    return tar


def _add_all(output: tarfile.TarFile, root: MergedRoot, layers: list[tarfile.TarFile]) -> None:
    """Add all files; the second name of a file is a link to the first one."""
    first_names: dict[Node, str] = {}
    for path, node in root.sorted():
        entry = _renamed(node.header, f"./{path}")
        if node in first_names:
            entry.type, entry.linkname, entry.size = tarfile.LNKTYPE, first_names[node], 0
            output.addfile(entry)
            continue
        first_names[node] = entry.name
        content = layers[node.layer].extractfile(node.header) if entry.isreg() else None
        output.addfile(entry, content)


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
