"""One file of a package index, as a value."""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.names import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """One file that an index offers.

    Attributes:
        name: the file's name.
        url: where it is.
        digest: what the index says of its bytes.
    """

    name: str
    url: str
    digest: Digest | None = None
