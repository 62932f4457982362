"""What the parts of the registry know of each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lapstrake.oci.descriptors import Descriptor


class Demand(Protocol):
    """Images that exist because somebody asks for them."""

    async def start(self) -> None:
        """Called once, before the first request."""
        ...

    def begin_to_stop(self) -> None:
        """Called when the server is told to stop, maybe before the last request."""
        ...

    async def stop(self) -> None:
        """Called once, after the last one; ends what it started."""
        ...

    async def resolve(
        self, name: str, reference: str, accept: Sequence[str], *, make: bool = True
    ) -> Descriptor:
        """The manifest of a name and a tag; makes it when it is missing.

        Args:
            name: a name that obeys the grammar and is in no namespace for pushes.
            reference: a tag.
            accept: the media types that the client takes; empty for any.
            make: whether it may be made for whoever asks.

        Raises:
            Problem: it does not exist, or cannot be made.
        """
        ...

    def tags(self, name: str) -> list[str]:
        """The tags of a name, sorted; empty when there is no such name."""
        ...

    def names(self) -> list[str]:
        """The names that were made and still are there, sorted."""
        ...


MANIFEST_LIMIT = 4 << 20
"""Bytes of the largest manifest that is taken (OCI distribution specification 1.1)."""
