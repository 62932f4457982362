"""Attach documents to an image: artifacts whose ``subject`` is its manifest (OCI image spec 1.1).

Each is a manifest with an empty configuration and the document as its only layer ("Guidelines for
artifact usage" of the specification); the registry lists them as the image's referrers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.referrers import record_referrer, referrers
from lapstrake.errors import ImageError
from lapstrake.image.attest.cyclonedx import cyclonedx_document
from lapstrake.image.attest.provenance import provenance_statement
from lapstrake.image.attest.spdx import spdx_document
from lapstrake.image.attest.subject import Subject
from lapstrake.image.base import Descriptor, Image
from lapstrake.image.sources.base import Closure
from lapstrake.names import Digest

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_EMPTY = "application/vnd.oci.empty.v1+json"
_EMPTY_DATA = b"{}"


class DocumentKind(StrEnum):
    """What is told of an image; the values are what ``--format`` takes."""

    SPDX = "spdx"
    CYCLONEDX = "cyclonedx"
    PROVENANCE = "provenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kind:
    """One kind of document: its media type, its file's name, and how it is written."""

    media_type: str
    file: str
    write: Callable[[Subject], Mapping[str, Any]]


_KINDS = {
    DocumentKind.SPDX: _Kind(
        media_type="application/spdx+json", file="sbom.spdx.json", write=spdx_document
    ),
    DocumentKind.CYCLONEDX: _Kind(
        media_type="application/vnd.cyclonedx+json", file="sbom.cdx.json", write=cyclonedx_document
    ),
    DocumentKind.PROVENANCE: _Kind(
        media_type="application/vnd.in-toto+json",
        file="provenance.intoto.json",
        write=provenance_statement,
    ),
}


def attach_documents(blobs: BlobStore, image: Image, closure: Closure) -> tuple[Descriptor, ...]:
    """Store bills of material and provenance of an image, as referrers of its manifests.

    Args:
        blobs: where the image is; the documents go there, too.
        image: the image.
        closure: what it was made of; its trees are read for licences.

    Returns:
        the artifacts' manifests.
    """
    subject = Subject.of(image, closure)
    empty = _store(blobs, _EMPTY_DATA, _EMPTY)
    made = []
    for kind in _KINDS.values():
        document = _store(blobs, _json(kind.write(subject)), kind.media_type)
        for target in (image.oci, image.docker):
            if target is not None:
                made.append(_attach(blobs, kind, document, empty, target))
    return tuple(made)


def read_document(blobs: BlobStore, image: Image, kind: DocumentKind) -> bytes:
    """Read a document that is attached to an image.

    Raises:
        ImageError: there is none.
    """
    for row in referrers(blobs, image.oci.digest):
        if row.get("artifactType") == _KINDS[kind].media_type:
            manifest = json.loads(b"".join(blobs.read(_digest(row["digest"]))))
            return b"".join(blobs.read(_digest(manifest["layers"][0]["digest"])))
    raise ImageError(
        f"the image {image.oci.digest} has no document {kind}",
        resolution="Remove it with `lapstrake image rm` and make it again.",
    )


def _attach(
    blobs: BlobStore, kind: _Kind, document: Descriptor, empty: Descriptor, target: Descriptor
) -> Descriptor:
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "artifactType": kind.media_type,
        "config": _row(empty),
        "layers": [
            {**_row(document), "annotations": {"org.opencontainers.image.title": kind.file}}
        ],
        "subject": _row(target),
    }
    stored = _store(blobs, _json(manifest), _MANIFEST)
    record_referrer(blobs, target.digest, {**_row(stored), "artifactType": kind.media_type})
    return stored


def _store(blobs: BlobStore, data: bytes, media_type: str) -> Descriptor:
    digest = Digest("sha256", hashlib.sha256(data).hexdigest())
    if blobs.find(digest) is None:
        blobs.add(digest, data)
    return Descriptor(media_type=media_type, digest=digest, size=len(data))


def _row(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }


def _json(document: Mapping[str, Any]) -> bytes:
    """The one text that equal documents share; people read it, too."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"


def _digest(text: str) -> Digest:
    algorithm, _, digits = text.partition(":")
    return Digest(algorithm, digits)
