"""The order of layers in a manifest."""

from __future__ import annotations

from math import exp

from lapstrake.grouping.cost import Fleet

_LEAST = 1e-4


def place(size: int, rate: float, share: float, fleet: Fleet) -> float:
    """Rate a layer for its place: the highest one goes lowest.

    A client that reuses a layer only on top of the very same layers loses everything above the
    first one that is missing or changed. When layers break independently of each other, exchanging
    two neighbours shows that ``size * (1 - b) / b`` must not grow upwards, `b` being the chance of
    a break at a pull.

    Args:
        size: bytes.
        rate: updates in a week.
        share: the chance that another image has the layer, too.
        fleet: how many pulls are first ones.
    """
    missing = fleet.pulls * (1 - share)
    changed = fleet.repulls * (1 - exp(-rate))
    broken = max(_LEAST, (missing + changed) / (fleet.pulls + fleet.repulls))
    return max(size, 1) * (1 - broken) / broken
