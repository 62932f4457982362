"""The price of a layer: bytes that a fleet of hosts is expected to pull for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The hosts that images are made for.

    Attributes:
        images: how many a host runs.
        seen: how many it has pulled, on average, when it pulls a new one.
        pulls: first pulls of an image over the time that is looked at.
        repulls: weekly pulls again over that time.
        layer: bytes that one layer costs besides its content.
    """

    images: float = 6
    seen: float = 8
    pulls: float = 2
    repulls: float = 26
    layer: int = 2_000

    def cost(self, size: int, rate: float, share: float) -> float:
        """Bytes that one image is expected to cause through one layer.

        The first pull counts when no image on the host has brought this very layer; an update
        counts for as many images as share it.

        Args:
            size: the layer's bytes.
            rate: expected updates in a week, of anything in it.
            share: the chance that a random image has this very layer.
        """
        first: float = self.pulls * (1 - share) ** (self.seen - 1)
        again = self.repulls * (1 - exp(-rate)) / (1 + (self.images - 1) * share)
        return (size + self.layer) * (first + again)


def joint_rate(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Updates in a week of anything in either; what has one source changes together."""
    total = sum(one.values()) + sum(two.values())
    if one and two and not one.keys().isdisjoint(two.keys()):
        total -= sum(one[source] for source in one.keys() & two.keys())
    return total
