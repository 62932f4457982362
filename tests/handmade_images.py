"""Tiny images made by hand: layers as lists of members, no root, no base OS, no network."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from backports import zstd

from lapstrake.blobs.base import BlobStore
from lapstrake.config.model import Compression
from lapstrake.host.process import find_program
from lapstrake.image.base import Image, ImageIndex, ImageLayer, ImageRequest
from lapstrake.names import Arch, CacheKey, Digest
from lapstrake.oci.descriptors import Descriptor

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
TIME = 1_700_000_000
CAPABILITY = bytes.fromhex("0100000280040000000000000000000000000000")
"""setuid and net_bind_service, as linux/capability.h has it in a file's attribute."""


def file(name: str, data: bytes = b"", **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    """A regular file; fields of its header by name."""
    return _member(name, tarfile.REGTYPE, mode=fields.pop("mode", 0o644), **fields), data


def folder(name: str, **fields: Any) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.DIRTYPE, mode=fields.pop("mode", 0o755), **fields), b""


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.SYMTYPE, mode=0o777, linkname=target), b""


def hard_link(name: str, target: str, mode: int = 0o644) -> tuple[tarfile.TarInfo, bytes]:
    return _member(name, tarfile.LNKTYPE, mode=mode, linkname=target), b""


Members = Sequence[tuple[tarfile.TarInfo, bytes]]
Write = Callable[[Image | ImageIndex, str], str]
"""Writes an image to a target."""


def pack(members: Members) -> bytes:
    """A plain tar."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for header, data in members:
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return packed.getvalue()


def rich_layers() -> tuple[Members, Members]:
    """Two layers of busybox and files of all kinds, some of which are gone in the end."""
    busybox = find_program("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed (apt install busybox-static)")
    special = file("etc/special", b"s", mode=0o4750, uid=12, gid=34)
    special[0].pax_headers = {
        "SCHILY.xattr.security.capability": CAPABILITY.decode("utf-8", "surrogateescape"),
        "SCHILY.xattr.user.colour": "red",
    }
    long = f"etc/{'long' * 40}"
    return (
        [
            folder("./", mode=0o755),
            folder("bin"),
            file("bin/busybox", busybox.read_bytes(), mode=0o755),
            hard_link("bin/sh", "bin/busybox", mode=0o755),
            folder("etc", gid=5),
            file("etc/gone", b"gone"),
            special,
            folder("var"),
            file("var/first", b"twice"),
            hard_link("var/second", "var/first"),
            folder("tmp", mode=0o1777),
            folder("full"),
            file("full/old", b"old"),
        ],
        [
            folder("etc", gid=5),
            file("bin/hello", b"#!/bin/sh\necho 'hello from the planks'\n", mode=0o755),
            file("etc/.wh.gone"),
            file(long, b"l"),
            symlink("etc/link", "special"),
            file("var/.wh.first"),
            folder("full", mode=0o700, uid=7),
            file("full/.wh..wh..opq"),
            file("full/new", b"new"),
        ],
    )


def add_blob(blobs: BlobStore, data: bytes, media_type: str) -> Descriptor:
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    blobs.add(digest, data)
    return Descriptor(media_type=media_type, digest=digest, size=len(data))


def make_image(
    blobs: BlobStore,
    *layers: Members,
    arch: Arch = Arch.AMD64,
    compression: Compression = Compression.GZIP,
    command: Sequence[str] = (),
) -> Image:
    """An image of layers, lowest first."""
    made = tuple(_layer(blobs, pack(members), compression) for members in layers)
    config = {
        "architecture": arch.value,
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": {"Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in made]},
    }
    blob = add_blob(blobs, _json(config), f"{OCI}.config.v1+json")
    oci = add_blob(blobs, _manifest(blob, made, docker=False), f"{OCI}.manifest.v1+json")
    docker = None
    if compression is Compression.GZIP:
        text = _manifest(blob, made, docker=True)
        docker = add_blob(blobs, text, f"{DOCKER}.distribution.manifest.v2+json")
    key = CacheKey(hashlib.sha256(oci.digest.hex.encode()).hexdigest())
    request = ImageRequest(packages=("hello",), arch=arch, compression=compression)
    return Image(key=key, request=request, config=blob, layers=made, oci=oci, docker=docker)


def make_index(blobs: BlobStore, *images: Image) -> ImageIndex:
    """An index of images for several machines."""
    manifests = [
        {**_entry(image.oci), "platform": {"architecture": image.request.arch, "os": "linux"}}
        for image in images
    ]
    media_type = f"{OCI}.index.v1+json"
    document = {"schemaVersion": 2, "mediaType": media_type, "manifests": manifests}
    return ImageIndex(images=images, oci=add_blob(blobs, _json(document), media_type), docker=None)


def noise(size: int) -> bytes:
    """Bytes that no compression makes smaller."""
    return os.urandom(size)


def _layer(blobs: BlobStore, plain: bytes, compression: Compression) -> ImageLayer:
    packed = gzip.compress(plain, mtime=0) if compression == "gzip" else zstd.compress(plain)
    blob = add_blob(blobs, packed, f"{OCI}.layer.v1.tar+{compression}")
    return ImageLayer(blob=blob, diff_id=Digest("sha256", hashlib.sha256(plain).hexdigest()))


def _manifest(config: Descriptor, layers: Sequence[ImageLayer], *, docker: bool) -> bytes:
    """A manifest in OCI's or Docker's words."""
    own = f"{DOCKER}.distribution.manifest.v2+json" if docker else f"{OCI}.manifest.v1+json"
    of_config = {"mediaType": f"{DOCKER}.container.image.v1+json"} if docker else {}
    of_layer = {"mediaType": f"{DOCKER}.image.rootfs.diff.tar.gzip"} if docker else {}
    return _json(
        {
            "schemaVersion": 2,
            "mediaType": own,
            "config": {**_entry(config), **of_config},
            "layers": [{**_entry(layer.blob), **of_layer} for layer in layers],
        }
    )


def _entry(blob: Descriptor) -> dict[str, Any]:
    return {"mediaType": blob.media_type, "digest": str(blob.digest), "size": blob.size}


def _member(name: str, kind: bytes, **fields: Any) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.type, header.mtime = kind, TIME
    for field, value in fields.items():
        setattr(header, field, value)
    return header


def _json(document: object) -> bytes:
    return json.dumps(document, sort_keys=True).encode()
