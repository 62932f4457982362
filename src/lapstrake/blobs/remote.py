"""Blobs and documents in a bucket: S3 and whatever speaks like it, or Google's storage.

A bucket shows an object when all of it has arrived, so nothing is ever half visible. Credentials
and addresses come from the environment, as the providers' own clients take them
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, ``GOOGLE_APPLICATION_CREDENTIALS`` ...).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from obstore import sign
from obstore.exceptions import BaseError

from lapstrake.blobs import addresses
from lapstrake.blobs.bucket import Bucket, first_line, open_bucket
from lapstrake.errors import ConfigError, StoreError
from lapstrake.host import files
from lapstrake.names import Digest

_PIECE = 8 << 20
_YOUNG = 6 * 3600
"""Seconds in which what is there is not sent again; collections spare what is a day old."""
_KNOWN_SECONDS = 600.0
_MOST_KNOWN = 100_000


def remote_blobs(url: str, *, scratch: Path) -> RemoteBlobs:
    """Open ``s3://BUCKET/PREFIX`` or ``gs://BUCKET/PREFIX``.

    Args:
        url: the storage.
        scratch: a folder of this host for files that are not finished; made when missing.

    Raises:
        ConfigError: the URL names no storage, or the environment lacks what the provider needs.
    """
    try:
        # Enough for a hiccup; whoever waits for a blob wants to hear of more.
        bucket = open_bucket(url, retries=4, patience=30.0)
    except ConfigError as wrong:
        raise ConfigError(
            f"registry.storage: {wrong.brief}", details=wrong.details, resolution=wrong.resolution
        ) from wrong
    return RemoteBlobs(bucket, url=url, scratch=scratch)


class RemoteBlobs:
    """A `lapstrake.blobs.base.BlobStore` in a bucket.

    Args:
        bucket: where, with credentials.
        url: how messages call it.
        scratch: as of `remote_blobs`.
    """

    def __init__(self, bucket: Bucket, *, url: str, scratch: Path) -> None:
        self._bucket = bucket
        self._url = url
        self._scratch = scratch
        self._signs = True
        self._known: dict[Digest, float] = {}
        with self._judging("opening the scratch folder"):
            scratch.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            scratch.mkdir(exist_ok=True)

    @property
    def scratch(self) -> Path:
        """A folder of this host for files that are to become blobs."""
        return self._scratch

    def find(self, digest: Digest) -> int | None:
        """Look a blob up: its size in bytes, ``None`` when it is not there."""
        with self._judging(f"looking for the blob {digest}"):
            try:
                return int(self._bucket.head(addresses.blob_address(digest))["size"])
            except FileNotFoundError:
                return None

    def known(self, digest: Digest) -> bool:
        """Whether a blob is there, or was some minutes ago: an image has dozens of them."""
        now = time.monotonic()
        if now - self._known.get(digest, -_KNOWN_SECONDS) < _KNOWN_SECONDS:
            return True
        if self.find(digest) is None:
            return False
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[digest] = now
        return True

    def added(self, digest: Digest) -> float | None:
        """When it was last added, in seconds since 1970; ``None`` when it is not there."""
        with self._judging(f"looking for the blob {digest}"):
            try:
                found = self._bucket.head(addresses.blob_address(digest))
                return found["last_modified"].timestamp()
            except FileNotFoundError:
                return None

    def path(self, digest: Digest) -> Path | None:  # noqa: ARG002 - no files here
        """Nothing in a bucket is a file of this host."""
        return None

    def url(self, digest: Digest, *, seconds: float) -> str | None:
        """An address, signed for so long; ``None`` where the credentials can sign none."""
        if not self._signs:
            return None
        address, lifetime = addresses.blob_address(digest), timedelta(seconds=seconds)
        try:
            return sign(self._bucket, "GET", address, lifetime)
        except BaseError:
            self._signs = False  # it takes seconds to find out
            return None

    def read(self, digest: Digest, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to (not including) `end`.

        Raises:
            StoreError: it is not there, or the storage failed.
        """
        size = self.find(digest)
        if size is None:
            raise StoreError(f"the blob {digest} is not in the store {self._url}")
        end = size if end is None else min(end, size)
        address = addresses.blob_address(digest)
        for begin in range(start, end, _PIECE):
            with self._judging(f"reading the blob {digest}"):
                piece = self._bucket.get_range(address, start=begin, end=min(begin + _PIECE, end))
            yield bytes(piece)

    def add(self, digest: Digest, source: Path | bytes) -> None:
        """Store a blob; a file that lies in `scratch` is gone afterwards.

        Raises:
            StoreError: the storage failed; nothing of it is visible then.
        """
        address = addresses.blob_address(digest)
        with self._judging(f"storing the blob {digest}"):
            # Only what is sent again is added now: no bucket copies an object onto itself.
            if (self.added(digest) or 0) < time.time() - _YOUNG:
                self._bucket.put(address, source)
            if isinstance(source, Path) and source.parent == self._scratch:
                source.unlink(missing_ok=True)

    def remove(self, digest: Digest) -> bool:
        """Remove a blob; says whether it was there."""
        self._known.pop(digest, None)
        there = self.find(digest) is not None
        return there and self._delete(addresses.blob_address(digest))

    def digests(self) -> Iterator[Digest]:
        """All blobs, in no order."""
        for address in self._list(addresses.BLOBS + "/"):
            digest = addresses.blob_digest(address)
            if digest is not None:
                yield digest

    def document(self, name: str) -> bytes | None:
        """A document's content; ``None`` when there is none of this name."""
        with self._judging(f"reading the document {name}"):
            try:
                return bytes(self._bucket.get(addresses.document_address(name)).bytes())
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Store a document in place of the one with this name."""
        address = addresses.document_address(name)
        with self._judging(f"storing the document {name}"):
            self._bucket.put(address, data, use_multipart=False)

    def delete(self, name: str) -> bool:
        """Remove a document; says whether it was there."""
        there = self.document(name) is not None
        return there and self._delete(addresses.document_address(name))

    def names(self, prefix: str) -> Iterator[str]:
        """The names of documents that start with a prefix (``tags/``), sorted."""
        folder = prefix.rpartition("/")[0]  # buckets are listed by whole words
        found = map(addresses.document_name, self._list(f"{addresses.DOCUMENTS}/{folder}"))
        yield from sorted(name for name in found if name is not None and name.startswith(prefix))

    def _list(self, folder: str) -> Iterator[str]:
        with self._judging("listing"):
            for page in self._bucket.list(prefix=folder):
                yield from (found["path"] for found in page)

    def _delete(self, address: str) -> bool:
        with self._judging(f"removing {address}"):
            self._bucket.delete(address)
            return True

    @contextmanager
    def _judging(self, doing: str) -> Iterator[None]:
        """Say what the storage, or the disk, refused."""
        try:
            yield
        except BaseError as failed:
            raise StoreError(
                f"{doing}: the storage {self._url} failed", details=first_line(failed)
            ) from failed
        except OSError as failed:
            raise files.disk_error(failed, doing=doing) from failed
