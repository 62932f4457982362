"""Layers of images, each packed once: found by what is in it, or made in parallel processes."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.config.model import Compression
from lapstrake.errors import ImageError
from lapstrake.formats.keys import cache_key
from lapstrake.host import files
from lapstrake.host.locks import locked
from lapstrake.host.owned import run_module
from lapstrake.image.record import PackedLayer, find_layer, record_layer
from lapstrake.names import CacheKey, Digest
from lapstrake.oci.descriptors import OCI_LAYER, Descriptor

PROCEDURE = 1
"""Raised when the same trees become other bytes."""

_WORTH_A_PROCESS = 16 << 20
"""Bytes: about what is packed while another process starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSource:
    """What a layer is made of.

    Attributes:
        content: what its bytes depend on, besides the rest here; sorted.
        places: trees, lowest first, and the folders of the image they are put in.
        left_out: a regular expression for names that are not taken.
        latest: nothing in it is younger, seconds since 1970; ``None``: than its newest package.
        plain: everything belongs to root.
        compression: how it is packed.
        size: bytes, about, for dividing the work.
    """

    content: tuple[str, ...]
    places: tuple[tuple[Path, str], ...]
    left_out: str = ""
    latest: int | None = None
    plain: bool = False
    compression: Compression = Compression.GZIP
    size: int = 0

    @property
    def key(self) -> CacheKey:
        """What it is found by."""
        return cache_key(
            "image layer",
            {
                "procedure": PROCEDURE,
                "content": self.content,
                "left_out": self.left_out,
                "latest": self.latest,
                "plain": self.plain,
                "compression": self.compression.value,
            },
        )


def pack_layers(
    blobs: BlobStore, sources: Sequence[LayerSource], *, locks: Path
) -> tuple[PackedLayer, ...]:
    """Get layers: those that were packed before, the others packed now.

    Whoever wants one of them at the same time waits and shares it.

    Args:
        blobs: where they are, or go.
        sources: what they are made of.
        locks: a folder for locks between processes.

    Raises:
        ImageError: a tree cannot be read.
        StoreError: the disk is full.
    """
    found = {source.key: find_layer(blobs, source.key) for source in sources}
    missing = {source.key: source for source in sources if found[source.key] is None}
    if missing:
        with _held(locks, sorted(missing)):
            again = {key: find_layer(blobs, key) for key in missing}
            found |= again
            todo = [missing[key] for key, packed in again.items() if packed is None]
            found |= _pack(blobs, todo)
    return tuple(packed for source in sources if (packed := found[source.key]) is not None)


@contextlib.contextmanager
def _held(folder: Path, keys: Sequence[CacheKey]) -> Iterator[None]:
    """Lock layers; all take them in one order, so that nobody waits in a circle."""
    with contextlib.ExitStack() as held:
        for key in keys:
            held.enter_context(locked(folder / f"layer-{key}", what=f"the layer {key.short}"))
        yield


def _pack(blobs: BlobStore, sources: Sequence[LayerSource]) -> dict[CacheKey, PackedLayer]:
    if not sources:
        return {}
    most = 1 + sum(source.size for source in sources) // _WORTH_A_PROCESS
    count = min(os.cpu_count() or 1, most, len(sources))
    shares = [share for share in _shares(sources, count) if share]
    with ThreadPoolExecutor(len(shares)) as pool:
        done = list(pool.map(lambda share: _pack_share(blobs, share), shares))
    return {key: packed for part in done for key, packed in part.items()}


def _shares(sources: Sequence[LayerSource], count: int) -> list[list[LayerSource]]:
    """Divide work: the biggest first, each to whoever has the least."""
    shares: list[list[LayerSource]] = [[] for _ in range(count)]
    loads = [0] * count
    for source in sorted(sources, key=lambda source: (-source.size, source.key)):
        least = loads.index(min(loads))
        shares[least].append(source)
        loads[least] += source.size
    return shares


def _pack_share(blobs: BlobStore, share: Sequence[LayerSource]) -> dict[CacheKey, PackedLayer]:
    """Pack some layers in one process, as the owner of the trees."""
    mark = secrets.token_hex(8)
    job, result = blobs.scratch / f"{mark}.job", blobs.scratch / f"{mark}.result"
    targets = [blobs.scratch / f"{mark}.{number}" for number in range(len(share))]
    rows = [_row(source, target) for source, target in zip(share, targets, strict=True)]
    try:
        job.write_text(json.dumps({"result": str(result), "layers": rows}))
        run_module(
            "lapstrake.host.layer_pack", job, doing="packing a layer of the image", error=ImageError
        )
        packed = {}
        done = json.loads(result.read_bytes())
        for source, target, facts in zip(share, targets, done, strict=True):
            packed[source.key] = _store(blobs, source, target, facts)
        return packed
    except OSError as failed:
        raise files.disk_error(failed, doing="packing a layer of the image") from failed
    except ImageError as failed:
        if os.strerror(errno.ENOSPC) not in failed.details:
            raise
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(blobs.scratch))
        raise files.disk_error(full, doing="packing a layer of the image") from failed
    finally:
        for file in (job, result, *targets):
            file.unlink(missing_ok=True)


def _row(source: LayerSource, target: Path) -> dict[str, Any]:
    return {
        "places": [[str(tree), where] for tree, where in source.places],
        "target": str(target),
        "left_out": source.left_out,
        "latest": source.latest,
        "plain": source.plain,
        "compression": source.compression.value,
    }


def _store(blobs: BlobStore, source: LayerSource, file: Path, facts: dict[str, Any]) -> PackedLayer:
    packed = PackedLayer(
        blob=Descriptor(
            media_type=f"{OCI_LAYER}+{source.compression}",
            digest=Digest("sha256", facts["digest"]),
            size=facts["size"],
        ),
        diff_id=Digest("sha256", facts["diff_id"]),
        plain_size=facts["plain_size"],
    )
    blobs.add(packed.blob.digest, file)
    record_layer(blobs, source.key, packed)
    return packed
