"""Critical path first: what the longest chain of work after it makes a task urgent."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVELS = 1000
"""Steps of urgency within one priority of the users'."""
_LONGEST = 30 * 86400.0


def order(needs: Sequence[Sequence[int]]) -> list[int]:
    """An order in which every load comes after what it needs.

    Raises:
        ValueError: there is a cycle.
    """
    left = [len(needed) for needed in needs]
    users = users_of(needs)
    found = [index for index, count in enumerate(left) if count == 0]
    for index in found:  # it grows meanwhile
        for user in users[index]:
            left[user] -= 1
            if left[user] == 0:
                found.append(user)
    if len(found) < len(needs):
        raise ValueError("the loads need each other in a circle")
    return found


def users_of(needs: Sequence[Sequence[int]]) -> list[list[int]]:
    """For each load, those that need it."""
    users: list[list[int]] = [[] for _ in needs]
    for index, needed in enumerate(needs):
        for other in needed:
            users[other].append(index)
    return users


def ranks(seconds: Sequence[float], needs: Sequence[Sequence[int]]) -> list[float]:
    """The longest chain of seconds from the begin of each load to the end of all.

    Raises:
        ValueError: there is a cycle.
    """
    rank = [0.0] * len(seconds)
    for index in reversed(order(needs)):  # `rank` holds what follows, until its own turn
        own = rank[index] = rank[index] + seconds[index]
        for other in needs[index]:
            rank[other] = max(rank[other], own)
    return rank


def heads(seconds: Sequence[float], needs: Sequence[Sequence[int]]) -> list[float]:
    """The longest chain of seconds before the begin of each load."""
    head = [0.0] * len(seconds)
    for index in order(needs):
        head[index] = max((head[other] + seconds[other] for other in needs[index]), default=0.0)
    return head


def urgency(priority: int, rank: float) -> int:
    """The engine's priority: that of the users first, then the rank, by its logarithm.

    Args:
        priority: the user's, -100 to 100.
        rank: seconds from its begin to the end of all that needs it.

    Returns:
        -100,000 to 100,999; one step of rank is about 1.5 %.
    """
    share = math.log1p(max(0.0, rank)) / math.log1p(_LONGEST)
    return priority * LEVELS + min(LEVELS - 1, int(share * LEVELS))
