"""Repositories that are pushed to, as documents of the store.

::

    catalogue/NAME                             there is a manifest in this repository
    pushed/NAME/_tags/TAG                      the digest of a manifest
    pushed/NAME/_manifests/ALGORITHM-HEX       its media type, and whom it refers to
    pushed/NAME/_blobs/ALGORITHM-HEX           when the blob was last linked here
    pushed/NAME/_referrers/…                   see `lapstrake.blobs.referrers`

No part of a name begins with an underscore, so nothing is taken for another. A blob is stored once
for all repositories, but each shows only those that were pushed to it or mounted.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from lapstrake.blobs.addresses import parse_digest
from lapstrake.blobs.base import BlobStore
from lapstrake.blobs.referrers import forget_referrer, record_referrer
from lapstrake.host.locks import locked
from lapstrake.names import Digest
from lapstrake.oci.descriptors import Descriptor
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.manifests import Manifest

_CATALOGUE = "catalogue/"


def pushed_names(blobs: BlobStore) -> list[str]:
    """The names of repositories that have a manifest, sorted."""
    return [name.removeprefix(_CATALOGUE) for name in blobs.names(_CATALOGUE)]


def collecting(blobs: BlobStore, *, collects: bool) -> AbstractContextManager[None]:
    """Keep a collection of blobs and the manifests that come to name them apart.

    Args:
        blobs: the store; processes of one host exclude each other.
        collects: whether we remove blobs; any number may add manifests at a time.
    """
    path = blobs.scratch.parent / "collecting.lock"
    return locked(path, what="the collection of blobs", exclusive=collects)


def digest_bytes(data: bytes, algorithm: str = "sha256") -> Digest:
    """The digest of bytes that are in memory."""
    return Digest(algorithm, hashlib.new(algorithm, data).hexdigest())


@dataclass(frozen=True, slots=True)
class Repository:
    """One repository; it need not exist yet."""

    blobs: BlobStore
    name: str

    @property
    def within(self) -> str:
        """The folder of its documents, with a slash."""
        return f"pushed/{self.name}/"

    def exists(self) -> bool:
        """Whether anything was ever pushed to it and is still there."""
        kinds = ("_tags", "_manifests", "_blobs")
        return any(next(self.blobs.names(f"{self.within}{kind}/"), None) for kind in kinds)

    def tags(self) -> list[str]:
        """All tags, in the specification's order (letters' case counts last)."""
        skip = len(folder := f"{self.within}_tags/")
        tags = (name[skip:] for name in self.blobs.names(folder))
        return sorted(tags, key=lambda tag: (tag.lower(), tag))

    def manifest(self, reference: Digest | str) -> Descriptor | None:
        """Look a manifest up by digest or tag."""
        digest = self._tagged(reference) if isinstance(reference, str) else reference
        text = None if digest is None else self.blobs.document(self._at("_manifests", digest))
        if digest is None or text is None:
            return None
        facts = json.loads(text)
        return Descriptor(media_type=facts["mediaType"], digest=digest, size=facts["size"])

    def blob(self, digest: Digest) -> int | None:
        """Look up a blob or a manifest that this repository shows: its size."""
        if self.blobs.document(self._at("_blobs", digest)) is None:
            return None
        return self.blobs.find(digest)

    def link(self, digest: Digest) -> None:
        """Show a blob of the store in this repository."""
        self.blobs.write(self._at("_blobs", digest), str(int(time.time())).encode())

    def unlink(self, digest: Digest) -> bool:
        """Show a blob no longer; says whether it was shown. Its bytes stay until `collect`."""
        return self.blobs.delete(self._at("_blobs", digest))

    def linked(self) -> Iterator[tuple[Digest, float]]:
        """The blobs that it shows, and when each was linked (seconds since 1970)."""
        for name in self.blobs.names(f"{self.within}_blobs/"):
            digest = _digest_in(name)
            text = self.blobs.document(name)
            if digest is not None and text is not None:
                yield digest, float(text)

    def manifests(self) -> Iterator[Digest]:
        """The digests of all its manifests."""
        for name in self.blobs.names(f"{self.within}_manifests/"):
            digest = _digest_in(name)
            if digest is not None:
                yield digest

    def require_parts(self, manifest: Manifest) -> None:
        """Make sure that all that a manifest names is here.

        Raises:
            Problem: ``MANIFEST_BLOB_UNKNOWN``; the detail names everything that is missing.
        """
        missing = [digest for digest in manifest.blobs if self.blob(digest) is None]
        missing += [digest for digest in manifest.manifests if self.manifest(digest) is None]
        if missing:
            names = [str(digest) for digest in missing]
            message = f"the manifest names what is not in {self.name}: {', '.join(names)}"
            raise Problem(404, "MANIFEST_BLOB_UNKNOWN", message, {"digests": names})

    def put(self, data: bytes, digest: Digest, manifest: Manifest, *, tag: str = "") -> None:
        """Store a manifest whose parts are here; what is visible comes last.

        Raises:
            StoreError: the disk is full, or the storage failed.
        """
        self.blobs.add(digest, data)
        facts = {"mediaType": manifest.media_type, "size": len(data)}
        if manifest.subject is not None:
            facts["subject"] = str(manifest.subject)
            described = _described(manifest, digest, len(data))
            record_referrer(self.blobs, manifest.subject, described, within=self.within)
        self.blobs.write(self._at("_manifests", digest), json.dumps(facts).encode())
        if self.blobs.document(_CATALOGUE + self.name) is None:
            self.blobs.write(_CATALOGUE + self.name, b"")
        if tag:
            self.blobs.write(self._tag(tag), str(digest).encode())

    def untag(self, tag: str) -> bool:
        """Remove a tag; says whether it was there."""
        return self.blobs.delete(self._tag(tag))

    def remove(self, digest: Digest) -> bool:
        """Remove a manifest, its tags first; says whether it was there."""
        document = self._at("_manifests", digest)
        text = self.blobs.document(document)
        if text is None:
            return False
        for tag in self.tags():
            if self._tagged(tag) == digest:
                self.untag(tag)
        subject = parse_digest(str(json.loads(text).get("subject")))
        if subject is not None:
            forget_referrer(self.blobs, subject, digest, within=self.within)
        self.blobs.delete(document)
        if next(self.manifests(), None) is None:
            self.blobs.delete(_CATALOGUE + self.name)
        return True

    def _tagged(self, tag: str) -> Digest | None:
        text = self.blobs.document(self._tag(tag))
        return None if text is None else parse_digest(text.decode())

    def _tag(self, tag: str) -> str:
        return f"{self.within}_tags/{tag}"

    def _at(self, kind: str, digest: Digest) -> str:
        return f"{self.within}{kind}/{digest.algorithm}-{digest.hex}"


def _digest_in(name: str) -> Digest | None:
    """The digest that a document's name ends in."""
    return parse_digest(name.rpartition("/")[2].replace("-", ":", 1))


def _described(manifest: Manifest, digest: Digest, size: int) -> dict[str, object]:
    """The descriptor of a referrer, as the referrers API lists it."""
    described: dict[str, object] = {
        "mediaType": manifest.media_type,
        "digest": str(digest),
        "size": size,
    }
    if manifest.artifact_type:
        described["artifactType"] = manifest.artifact_type
    if manifest.annotations:
        described["annotations"] = dict(manifest.annotations)
    return described
