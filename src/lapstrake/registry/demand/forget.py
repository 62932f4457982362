"""Letting go of images that nobody pulls any more; a collection then takes their blobs.

An image is known by the names that lead to it now, or did until lately. Those made by hand
(``lapstrake image build``) have none and stay until they are removed by hand.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from lapstrake.blobs.addresses import parse_digest
from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.referrers import forget_referrer, referrers
from lapstrake.image.base import Image
from lapstrake.image.record import all_images, all_layers, forget_image, forget_layer
from lapstrake.names import Digest
from lapstrake.registry.demand.records import Record, Records, keys


def forget_unused(blobs: BlobStore, *, seconds: float, dry_run: bool = False) -> tuple[str, ...]:
    """Forget names that nobody pulled for so long, and what only they led to.

    Args:
        blobs: the store.
        seconds: how long.
        dry_run: only tell.

    Returns:
        the names, ``NAME:TAG``, sorted.
    """
    before = time.time() - seconds
    records = Records(blobs)
    known = tuple(records.all())
    unused = [record for record in known if record.pulled < before]
    kept = [record for record in known if record.pulled >= before]
    if not dry_run:
        for record in unused:
            records.forget(record)
        _forget_images(blobs, unused, kept, before)
        _forget_layers(blobs, before)
    return tuple(sorted(record.title for record in unused))


def _forget_images(
    blobs: BlobStore, unused: Iterable[Record], kept: Iterable[Record], before: float
) -> None:
    """Forget images that a name led to once, and none does, or did lately."""
    kept = tuple(kept)
    candidates = {key for record in unused for key in keys(record.manifests) | set(record.former)}
    candidates |= {key for record in kept for key, at in record.former.items() if at < before}
    used = {key for record in kept for key in keys(record.manifests)}
    used |= {key for record in kept for key, at in record.former.items() if at >= before}
    gone = candidates - used
    images = all_images(blobs)
    staying = {
        digest for image in images if image.key.hex not in gone for digest in _digests(image)
    }
    for image in images:
        if image.key.hex in gone:
            forget_image(blobs, image)
            for subject in _digests(image) - staying:
                _forget_documents(blobs, subject)


def _forget_documents(blobs: BlobStore, subject: Digest) -> None:
    """Forget what refers to a manifest: bills of material and the like."""
    for row in referrers(blobs, subject):
        digest = parse_digest(str(row.get("digest", "")))
        if digest is not None:
            forget_referrer(blobs, subject, digest)


def _digests(image: Image) -> set[Digest]:
    return {each.digest for each in (image.oci, image.docker) if each is not None}


def _forget_layers(blobs: BlobStore, before: float) -> None:
    """Forget packed layers that no image has; one that was packed lately may be of one to come."""
    used = {layer.blob.digest for image in all_images(blobs) for layer in image.layers}
    for key, layer in all_layers(blobs):
        added = blobs.added(layer.blob.digest)
        if layer.blob.digest not in used and (added is None or added < before):
            forget_layer(blobs, key)
