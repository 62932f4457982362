"""Packages that the plan does not speak of: too rare to be shared, so put together by class."""

from __future__ import annotations

from math import log2

_SMALL = 250_000


def tail_class(size: int, rate: float) -> tuple[int, int]:
    """Which packages go together when no other image is likely to have them.

    What changes often would take along what rests, and what is large would be taken along by what
    is small. So classes are told apart by how often (in powers of two) and how large (in powers of
    four). They are fixed: a package more in an image moves no other one.

    Args:
        size: bytes.
        rate: updates in a week.
    """
    often = -1 if rate <= 0 else max(0, min(9, int(log2(rate * 1024) + 0.5)))
    large = 0 if size <= _SMALL else max(0, min(5, int(log2(size / _SMALL) / 2 + 1)))
    return often, large
