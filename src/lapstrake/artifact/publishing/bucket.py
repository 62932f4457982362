"""Publishing into a bucket: the archive, and beside it ``.sha256``; each appears whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lapstrake.artifact.base import BucketSite
from lapstrake.artifact.publishing.base import Parcel
from lapstrake.artifact.publishing.folder import digest_line
from lapstrake.artifact.sites.base import Terms
from lapstrake.artifact.sites.bucket import (
    DIGEST_SUFFIX,
    BucketPlace,
    answered,
    judged,
    opened,
    read_digest,
)

if TYPE_CHECKING:
    from lapstrake.blobs.bucket import Bucket

_PIECE = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketShelf:
    """See `base.Shelf`."""

    bucket: Bucket
    where: str
    parcel: Parcel
    terms: Terms

    def find(self) -> str | None:
        """See `Shelf`; what has no digest beside it is read."""
        return answered(self.terms, self._find)

    def put(self) -> None:
        """See `Shelf`; an old digest goes first, so that there is never a wrong one."""
        answered(self.terms, self._put)

    def _find(self) -> str | None:
        name = self.parcel.identity.file_name
        try:
            found = self.bucket.head(name)
            if found["size"] != self.parcel.size:
                return f"{found['size']} bytes"
            if said := read_digest(self.bucket, name):
                return said
            digest = hashlib.sha256()
            for piece in self.bucket.get(name).stream(min_chunk_size=_PIECE):
                digest.update(piece)
        except FileNotFoundError:
            return None
        return digest.hexdigest()

    def _put(self) -> None:
        name = self.parcel.identity.file_name
        with suppress(FileNotFoundError):
            self.bucket.delete(name + DIGEST_SUFFIX)
        self.bucket.put(name, self._pieces(), chunk_size=_PIECE)
        self.bucket.put(name + DIGEST_SUFFIX, digest_line(self.parcel), use_multipart=False)

    def _pieces(self) -> Iterator[bytes]:
        with self.parcel.archive.open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
                self.terms.on_bytes(file.tell(), self.parcel.size)


@contextmanager
def bucket_shelf(site: BucketSite, parcel: Parcel, terms: Terms) -> Iterator[BucketShelf]:
    """Open a bucket.

    Raises:
        SiteError: the storage refuses.
    """
    with judged():
        where = BucketPlace(url=site.url, identity=parcel.identity).where
        yield BucketShelf(bucket=opened(site.url, terms), where=where, parcel=parcel, terms=terms)
