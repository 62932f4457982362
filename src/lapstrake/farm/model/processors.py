"""How many processors of its worker a build gets. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def granted(wanted: int, *, cores: int, slots: int, others: Sequence[int]) -> int:
    """Divide a worker's processors, so that no two builds are promised the same ones.

    Args:
        wanted: what a plan gave the build, 0 when there is none.
        cores: the worker's.
        slots: the worker's.
        others: what the builds that run there were granted; 0 stands for a slot's share.

    Returns:
        at least 1; 0, which is as the worker likes, where no plan has given any to anybody.
    """
    if not wanted and not any(others):
        return 0
    share = max(1, cores // max(1, slots))
    left = cores - sum(each or share for each in others)
    return max(1, min(wanted or cores, left))
