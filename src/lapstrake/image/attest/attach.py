"""Attach documents to an image: artifacts whose ``subject`` is its manifest (OCI image spec 1.1).

Each is a manifest with an empty configuration and the document as its only layer ("Guidelines for
artifact usage" of the specification); the registry lists them as the image's referrers.
"""

from __future__ import annotations

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
from lapstrake.image.base import Image
from lapstrake.image.sources.base import Closure
from lapstrake.names import Digest
from lapstrake.oci.descriptors import (
    OCI_MANIFEST,
    Descriptor,
    describe,
    descriptor_document,
    read_digest,
)

_EMPTY_DATA = b"{}"
_EMPTY = describe(_EMPTY_DATA, "application/vnd.oci.empty.v1+json")
_THREADS = 8


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
    from concurrent.futures import ThreadPoolExecutor  # not at start-up: logging comes with it

    subject = Subject.of(image, closure)
    targets = [target for target in (image.oci, image.docker) if target is not None]
    texts = [(kind, _json(kind.write(subject))) for kind in _KINDS.values()]
    artifacts = [_artifact(kind, text, target) for kind, text in texts for target in targets]
    data = {_EMPTY.digest: _EMPTY_DATA}
    for each in artifacts:
        data |= each.blobs
    # Each waits for the disk; together they wait once. Documents come when their blobs are there.
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        tuple(pool.map(blobs.add, data.keys(), data.values()))
        tuple(pool.map(lambda each: each.record(blobs), artifacts))
    return tuple(each.manifest for each in artifacts)


def read_document(blobs: BlobStore, image: Image, kind: DocumentKind) -> bytes:
    """Read a document that is attached to an image.

    Raises:
        ImageError: there is none.
    """
    for row in referrers(blobs, image.oci.digest):
        if row.get("artifactType") == _KINDS[kind].media_type:
            manifest = json.loads(b"".join(blobs.read(read_digest(row["digest"]))))
            return b"".join(blobs.read(read_digest(manifest["layers"][0]["digest"])))
    raise ImageError(
        f"the image {image.oci.digest} has no document {kind}",
        resolution="Remove it with `lapstrake image rm` and make it again.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Artifact:
    """A document and the manifest that attaches it to another manifest."""

    subject: Digest
    media_type: str
    manifest: Descriptor
    blobs: Mapping[Digest, bytes]

    def record(self, blobs: BlobStore) -> None:
        row = {**descriptor_document(self.manifest), "artifactType": self.media_type}
        record_referrer(blobs, self.subject, row)


def _artifact(kind: _Kind, text: bytes, target: Descriptor) -> _Artifact:
    document = describe(text, kind.media_type)
    title = {"org.opencontainers.image.title": kind.file}
    data = _json(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": kind.media_type,
            "config": descriptor_document(_EMPTY),
            "layers": [{**descriptor_document(document), "annotations": title}],
            "subject": descriptor_document(target),
        }
    )
    manifest = describe(data, OCI_MANIFEST)
    return _Artifact(
        subject=target.digest,
        media_type=kind.media_type,
        manifest=manifest,
        blobs={document.digest: text, manifest.digest: data},
    )


def _json(document: Mapping[str, Any]) -> bytes:
    """The one text that equal documents share; people read it, too."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    return text.encode() + b"\n"
