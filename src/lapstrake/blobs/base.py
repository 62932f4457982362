"""What every storage offers to images and to the registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from lapstrake.names import Digest


class BlobStore(Protocol):
    """Blobs by digest, and small documents by name.

    A blob appears whole or not at all, whatever is killed; so does each version of a document.
    Any number of processes may use one store at once. All methods may be called from any thread.
    """

    def find(self, digest: Digest) -> int | None:
        """Look a blob up: its size in bytes, ``None`` when it is not there."""
        ...

    def known(self, digest: Digest) -> bool:
        """Whether a blob that a document names is there, or was some minutes ago."""
        ...

    def added(self, digest: Digest) -> float | None:
        """When it was last added, in seconds since 1970; ``None`` when it is not there."""
        ...

    def path(self, digest: Digest) -> Path | None:
        """The blob's file where blobs are files of this host, for the kernel to send; or None."""
        ...

    def url(self, digest: Digest, *, seconds: float) -> str | None:
        """An address that gives the blob for so long without credentials; ``None``: read it."""
        ...

    def read(self, digest: Digest, *, start: int = 0, end: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` up to (not including) `end`.

        Raises:
            StoreError: it is not there, or the storage failed.
        """
        ...

    def add(self, digest: Digest, source: Path | bytes) -> None:
        """Store a blob, flushed to disk; a file that lies in `scratch` is gone afterwards.

        The caller has checked that the bytes have the digest. If it is there already, it counts as
        added now (see `added`), or at least today.

        Raises:
            StoreError: the disk is full, or the storage failed.
        """
        ...

    def remove(self, digest: Digest) -> bool:
        """Remove a blob; says whether it was there."""
        ...

    def digests(self) -> Iterator[Digest]:
        """All blobs, in no order."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder of this host for files that are to become blobs, cheaply."""
        ...

    def document(self, name: str) -> bytes | None:
        """A document; a name is words of ``[A-Za-z0-9._+-]`` (not dots only) and slashes."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Store a document in place of the one with this name."""
        ...

    def delete(self, name: str) -> bool:
        """Remove a document; says whether it was there."""
        ...

    def names(self, prefix: str) -> Iterator[str]:
        """The names of documents that start with a prefix (``tags/``), sorted."""
        ...
