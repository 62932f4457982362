"""Documents of an image stay as long as it does, and no longer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from attest_closures import debian_closure, image
from lapstrake.blobs.local import LocalBlobs
from lapstrake.image.attest.attach import DocumentKind, attach_documents, read_document
from lapstrake.image.record import forget_image, record_image
from lapstrake.names import Digest
from lapstrake.oci.descriptors import Descriptor
from lapstrake.registry.protocol.collect import collect_blobs

_KIND = "application/vnd.oci.image.manifest.v1+json"


def add_manifest(blobs: LocalBlobs, text: str) -> Descriptor:
    document = {"schemaVersion": 2, "mediaType": _KIND, "layers": [], "annotations": {"a": text}}
    data = json.dumps(document).encode()
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    blobs.add(digest, data)
    return Descriptor(media_type=_KIND, digest=digest, size=len(data))


def test_documents_live_as_long_as_their_image(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    made = replace(
        image("bash", docker=False),
        config=add_manifest(blobs, "config"),
        oci=add_manifest(blobs, "image"),
    )
    attach_documents(blobs, made, debian_closure(tmp_path))
    # In the middle of making, nothing is recorded: only its age keeps it.
    assert collect_blobs(blobs, grace=60).blobs == ()
    assert read_document(blobs, made, DocumentKind.SPDX)
    record_image(blobs, made)
    assert collect_blobs(blobs, grace=0).blobs == ()
    assert read_document(blobs, made, DocumentKind.SPDX)
    forget_image(blobs, made)
    gone = collect_blobs(blobs, grace=0)
    assert made.oci.digest in gone.blobs
    assert tuple(blobs.digests()) == ()
    assert tuple(blobs.names("")) == ()
