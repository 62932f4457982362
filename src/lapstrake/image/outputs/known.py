"""Which repository of a registry has a blob, as far as we remember pushing it there.

A blob can be taken over from there instead of sent again. These are hints: one that is wrong, or
lost, costs a request.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from lapstrake.blobs.base import BlobStore
from lapstrake.errors import StoreError
from lapstrake.names import Digest
from lapstrake.oci.repository import Repository

_MOST = 10_000


class KnownPlaces:
    """What is remembered of one registry.

    Args:
        blobs: whose documents remember it.
        repository: the one that is pushed to, and its registry.
    """

    def __init__(self, blobs: BlobStore, repository: Repository) -> None:
        self._blobs = blobs
        self._repository = repository.name
        # No digest is written with its algorithm: that would keep the blob from being collected.
        self._document = f"pushed-to/{re.sub(r'[^a-z0-9.-]', '+', repository.host.lower())}"
        self._places = self._read()

    def find(self, digest: Digest) -> str:
        """Another repository that should have a blob; empty when none is known."""
        place = self._places.get(digest.hex, "")
        return place if place != self._repository else ""

    def add(self, digests: Iterable[Digest]) -> None:
        """Remember that the repository has these blobs."""
        new = {digest.hex: self._repository for digest in digests}
        if all(digits in self._places for digits in new):
            return
        places = {**{digits: at for digits, at in self._places.items() if digits not in new}, **new}
        newest = dict(list(places.items())[-_MOST:])
        self._blobs.write(self._document, json.dumps(newest).encode())

    def _read(self) -> dict[str, str]:
        try:
            places = json.loads(self._blobs.document(self._document) or b"{}")
        except (StoreError, ValueError):
            return {}
        return places if isinstance(places, dict) else {}
