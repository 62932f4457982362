"""How many requests somebody may send; counted in this process, so each server counts its own."""

from __future__ import annotations

import math
import threading
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from lapstrake.farm.problems import TooMany


class Rates:
    """Counts the requests of each token, and of each address that shows none."""

    def __init__(self) -> None:
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        # The storage starts a timer at times, and two threads would start the same one.
        self._lock = threading.Lock()

    def count(self, who: str, a_minute: int) -> None:
        """One more.

        Args:
            who: sends it.
            a_minute: how many there may be.

        Raises:
            TooMany: it is one too many; ``retry_after`` of the problem is in seconds.
        """
        most = RateLimitItemPerMinute(a_minute)
        with self._lock:
            if self._limiter.hit(most, who):
                return
            free_at = self._limiter.get_window_stats(most, who)[0]
        seconds = max(1, math.ceil(free_at - time.time()))
        raise TooMany(
            f"more than {a_minute} requests a minute",
            resolution=f"Wait {seconds} s, or raise farm.requests on the server.",
            fields={"retry_after": seconds},
        )
