"""A part of an image: packages that are a layer, or go into one with other parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.grouping.plan import Members


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Packages that stay together, and what they cost as a layer.

    Attributes:
        members: their names, sorted.
        size: bytes.
        rates: source → updates in a week, of those sources that are known to be updated.
        rate: updates in a week of anything in it.
        share: the chance that another image has this very layer.
        cost: bytes that it is expected to cause as a layer of its own.
        reason: why these are together, for people.
    """

    members: Members
    size: int
    rates: Mapping[str, float]
    rate: float
    share: float
    cost: float
    reason: str

    @property
    def place(self) -> tuple[float, int, Members]:
        """Neighbours in this order are updated about as often."""
        return (self.rate, self.size, self.members)
