"""OCI's image layout (image-spec 1.1, image-layout.md): a folder of blobs, or the same as a tar."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import ImageError
from lapstrake.formats.keys import canonical_json
from lapstrake.formats.plain_tar import END, add_member
from lapstrake.host.files import copy_atomic, open_atomic, remove_leftovers, write_atomic
from lapstrake.image.outputs.content import Content, read_document
from lapstrake.image.outputs.target import Target
from lapstrake.image.outputs.writing import judged, new_file
from lapstrake.names import Digest
from lapstrake.oci.descriptors import (
    INDEX_TYPES,
    OCI_INDEX,
    Descriptor,
    descriptor_document,
    read_digest,
)
from lapstrake.progress import Progress

_NAME = "org.opencontainers.image.ref.name"
_VERSION = b'{"imageLayoutVersion":"1.0.0"}'


def write_layout(blobs: BlobStore, content: Content, target: Target, *, progress: Progress) -> None:
    """Write an image into a layout's folder, beside those that are in it.

    An image of the same tag is replaced (or the one without a tag, if this one has none). The index
    is written last, in one step: until then the layout is what it was.

    Raises:
        ImageError: the folder holds something else, or cannot be written.
    """
    folder = target.path.absolute()
    with judged(target):
        folder.mkdir(exist_ok=True)
        with _alone_in(folder):
            index = _read_index(folder, target)
            _remove_unfinished(folder)
            write_atomic(folder / "oci-layout", _VERSION)
            for part in (*content.blobs, *content.manifests):
                progress.output(f"{part.digest}\n".encode())
                _copy_blob(blobs, part, folder)
            index["manifests"] = [
                *(entry for entry in index["manifests"] if _tag(entry) != target.tag),
                _entry(blobs, content.top, target.tag),
            ]
            write_atomic(folder / "index.json", canonical_json(index))


def write_layout_archive(
    blobs: BlobStore, content: Content, target: Target, *, progress: Progress
) -> None:
    """Write an image as one tar of a layout; the same image gives the same bytes.

    Raises:
        ImageError: the file cannot be written.
    """
    index = {**_empty_index(), "manifests": [_entry(blobs, content.top, target.tag)]}
    with new_file(target) as tar:
        for name, data in (("oci-layout", _VERSION), ("index.json", canonical_json(index))):
            add_member(tar, name, len(data), (data,))
        for part in (*content.manifests, *content.blobs):
            progress.output(f"{part.digest}\n".encode())
            add_member(tar, _place(part.digest), part.size, blobs.read(part.digest))
        tar.write(END)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Keep other writers of the same layout out; nothing is left behind for that."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_unfinished(folder: Path) -> None:
    """Remove what a killed writer left."""
    for each in (folder, *folder.glob("blobs/*/")):
        remove_leftovers(each)


def _read_index(folder: Path, target: Target) -> dict[str, Any]:
    """What is in a layout already; a folder without anything is an empty one."""
    try:
        index = json.loads((folder / "index.json").read_bytes())
        if isinstance(index["manifests"], list):
            return dict(index)
    except FileNotFoundError:
        if (folder / "oci-layout").exists() or not any(folder.iterdir()):
            return _empty_index()
    except (ValueError, TypeError, KeyError):
        pass
    raise ImageError(
        f"{target.text}: {folder} is not empty, and no OCI layout",
        resolution="Name a new folder, an empty one, or an OCI layout.",
    )


def _empty_index() -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}


def _entry(blobs: BlobStore, top: Descriptor, tag: str) -> dict[str, Any]:
    """The index's line for an image."""
    entry: dict[str, Any] = {**descriptor_document(top)}
    if top.media_type not in INDEX_TYPES:
        entry["platform"] = _platform(blobs, top)
    if tag:
        entry["annotations"] = {_NAME: tag}
    return entry


def _platform(blobs: BlobStore, manifest: Descriptor) -> dict[str, str]:
    """For which machine an image is, as its configuration says."""
    digest = read_document(blobs, manifest.digest)["config"]["digest"]
    config = read_document(blobs, read_digest(digest))
    return {key: config[key] for key in ("architecture", "os", "variant") if key in config}


def _tag(entry: dict[str, Any]) -> str:
    return str(entry.get("annotations", {}).get(_NAME, ""))


def _place(digest: Digest) -> str:
    return f"blobs/{digest.algorithm}/{digest.hex}"


def _copy_blob(blobs: BlobStore, blob: Descriptor, folder: Path) -> None:
    """Put a blob into a layout unless it is there: a copy, since whoever gets it may change it."""
    place = folder / _place(blob.digest)
    if place.is_file() and place.stat().st_size == blob.size:
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    source = blobs.path(blob.digest)
    if source is not None:
        copy_atomic(source, place)
        return
    with open_atomic(place) as file:
        for piece in blobs.read(blob.digest):
            file.write(piece)
