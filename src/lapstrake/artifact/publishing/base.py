"""What is published, and the places that take it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lapstrake.artifact.identity import Identity
from lapstrake.errors import ArtifactError


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """What is published.

    Attributes:
        identity: what it is; the archive's name comes from it.
        archive: the file.
        sha256: of its bytes, 64 digits in lower case.
        size: its bytes.
    """

    identity: Identity
    archive: Path
    sha256: str
    size: int


class Shelf(Protocol):
    """One place of a site, for one parcel; see `shelves.open_shelf`."""

    @property
    def where(self) -> str:
        """For people: the address, without secrets."""
        ...

    def find(self) -> str | None:
        """What is there by this name: its SHA-256, or other words when that is not known.

        Returns:
            ``None`` when nothing is.
        """
        ...

    def put(self) -> None:
        """Send the parcel; what is there by its name is what it was until all of it has come."""
        ...


def pack_parcel(identity: Identity, archive: Path) -> Parcel:
    """Take a file for publishing.

    Raises:
        ArtifactError: it cannot be read.
    """
    try:
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = archive.stat().st_size
    except OSError as refused:
        raise ArtifactError(f"{archive} cannot be read: {refused.strerror}") from refused
    return Parcel(identity=identity, archive=archive, sha256=digest, size=size)
