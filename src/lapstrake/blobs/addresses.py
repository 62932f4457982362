"""Where blobs and documents lie in a storage, the same for folders and for buckets.

::

    blobs/ALGORITHM/AB/ABCDEF…    a blob; AB are its first two digits
    documents/NAME,               a document

The comma ends a document's own word, so that ``a`` and ``a/b`` can both be documents of a folder.
"""

from __future__ import annotations

import re

from lapstrake.errors import StoreError
from lapstrake.names import Digest

ALGORITHMS = {"sha256": 64, "sha512": 128}
"""The algorithms of digests that the OCI image specification registers, and their digits."""

BLOBS, DOCUMENTS = "blobs", "documents"
_NAME = re.compile(r"(?:[A-Za-z0-9._+-]{1,254}/)*[A-Za-z0-9._+-]{1,254}\Z")
_DOTS = re.compile(r"(?:\A|/)\.+(?:/|\Z)")
_HEX = re.compile(r"[0-9a-f]+\Z")
_END = ","


def parse_digest(text: str) -> Digest | None:
    """Read ``sha256:…`` or ``sha512:…`` as the OCI image specification writes it (descriptor.md).

    Returns:
        ``None`` when it is neither.
    """
    algorithm, _, digits = text.partition(":")
    if len(digits) != ALGORITHMS.get(algorithm) or not _HEX.match(digits):
        return None
    return Digest(algorithm, digits)


def blob_address(digest: Digest) -> str:
    """Where a blob lies.

    Raises:
        StoreError: no such digest can be.
    """
    if len(digest.hex) != ALGORITHMS.get(digest.algorithm) or not _HEX.match(digest.hex):
        raise StoreError(f"{digest} is no digest of a blob")
    return f"{BLOBS}/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


def blob_digest(address: str) -> Digest | None:
    """The blob that lies there; ``None`` for what is none."""
    parts = address.split("/")
    if len(parts) != 4 or parts[0] != BLOBS:
        return None
    return parse_digest(f"{parts[1]}:{parts[3]}")


def document_address(name: str) -> str:
    """Where a document lies.

    Raises:
        StoreError: it cannot be a document's name.
    """
    if not _NAME.match(name) or _DOTS.search(name):
        raise StoreError(f"{name!r} cannot name a document")
    return f"{DOCUMENTS}/{name}{_END}"


def document_name(address: str) -> str | None:
    """The document that lies there; ``None`` for what is none."""
    if not address.startswith(DOCUMENTS + "/") or not address.endswith(_END):
        return None
    return address[len(DOCUMENTS) + 1 : -len(_END)]
