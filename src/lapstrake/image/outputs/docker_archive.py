"""What ``docker load`` and ``podman load`` read: a tar of a configuration and plain layers.

Plain, since not every program that reads such files can unpack layers. The format is described in
the Docker image specification 1.2 ("Combined Image JSON + Filesystem Changeset Format").
"""

from __future__ import annotations

import json
from functools import partial
from typing import BinaryIO

from lapstrake.blobs.base import BlobStore
from lapstrake.formats.plain_tar import END, add_growing_member, add_member
from lapstrake.image.base import Image, ImageLayer
from lapstrake.image.outputs.content import read_blob
from lapstrake.image.outputs.layers import copy_layer
from lapstrake.progress import Progress


def write_docker_archive(
    blobs: BlobStore, image: Image, file: BinaryIO, *, reference: str, progress: Progress
) -> None:
    """Write an image as ``docker save`` would; the same image gives the same bytes.

    Args:
        blobs: where the image's blobs are.
        image: the image.
        file: what is written; it must be possible to seek in it.
        reference: ``NAME:TAG`` that the image gets where it is loaded; empty for none.
        progress: who listens.

    Raises:
        ImageError: a layer is damaged.
        OSError: the file cannot be written.
    """
    layers = {layer.diff_id: layer for layer in image.layers}  # a twin is written once
    config, name = read_blob(blobs, image.config.digest), f"{image.config.digest.hex}.json"
    manifest = [
        {
            "Config": name,
            "RepoTags": [reference] if reference else None,
            "Layers": [_name(layer) for layer in image.layers],
        }
    ]
    text = json.dumps(manifest, sort_keys=True).encode()
    add_member(file, "manifest.json", len(text), (text,))
    add_member(file, name, len(config), (config,))
    for layer in layers.values():
        progress.output(f"{layer.diff_id} {layer.reason}".rstrip().encode() + b"\n")
        add_growing_member(file, _name(layer), partial(copy_layer, blobs, layer))
    file.write(END)


def _name(layer: ImageLayer) -> str:
    return f"{layer.diff_id.hex}.tar"
