"""The price of a layer: bytes that a fleet of hosts is expected to pull for it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
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
        agreement: without a plan, the chance that another image joins the same two parts.
    """

    images: float = 6
    seen: float = 8
    pulls: float = 2
    repulls: float = 26
    layer: int = 2_000
    agreement: float = 0.5

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


def common_rate(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Updates in a week of what is in both: what has one source changes together."""
    if one.keys().isdisjoint(two.keys()):
        return 0.0
    return sum(one[source] for source in sorted(one.keys() & two.keys()))


def unseen_rate(rates: Mapping[str, float], sources: Collection[str]) -> float:
    """Updates in a week to be expected of a source that had none so far.

    Good and Turing's estimate (Good 1953): with as many sources that had one update, the fewest
    that can be told, as `once`, and as many without as `never`, it is the rate of the former times
    ``once / never``. Where all sources are updated, there is nothing to guess.

    Args:
        rates: source → updates in a week; 0 is for those that are known to rest for ever.
        sources: those that images have.
    """
    seen = [rates[source] for source in sources if rates.get(source, 0.0) > 0]
    never = sum(1 for source in sources if source not in rates)
    if not seen or not never:
        return 0.0
    least = min(seen)
    once = sum(1 for rate in seen if rate <= least * (1 + 1e-9))
    return least * min(1.0, once / never)
