"""How many requests somebody may send; counted in this process, so each server counts its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from lapstrake.farm.problems import TooMany

_MINUTE = 60.0
_MOST_KNOWN = 10_000


@dataclass(slots=True)
class _Count:
    """Requests of this minute of the clock, and of the one before it."""

    minute: int = 0
    now: int = 0
    before: int = 0


class Rates:
    """Counts the requests of each token, and of each address that shows none.

    The last sixty seconds are this minute's requests and that part of the last minute's which is
    still within them, as if they had come evenly: two numbers for each, whatever is allowed.

    Args:
        clock: seconds, of any beginning.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, _Count] = {}
        self._turn = threading.Lock()

    def count(self, who: str, a_minute: int) -> None:
        """One more.

        Args:
            who: sends it.
            a_minute: how many there may be.

        Raises:
            TooMany: it is one too many, and not counted; ``retry_after`` of the problem is in
                seconds.
        """
        minute, seconds = divmod(self._clock(), _MINUTE)
        with self._turn:
            seen = self._of(who, int(minute))
            if seen.now + seen.before * (1 - seconds / _MINUTE) < a_minute:
                seen.now += 1
                return
            wait = _wait(seen, a_minute, seconds)
        raise _too_many(a_minute, wait)

    def _of(self, who: str, minute: int) -> _Count:
        seen = self._counts.get(who)
        if seen is None:
            if len(self._counts) >= _MOST_KNOWN:  # those whose last minutes were empty
                gone = [name for name, old in self._counts.items() if old.minute < minute - 1]
                for name in gone:
                    del self._counts[name]
            seen = self._counts[who] = _Count(minute)
        if seen.minute != minute:
            seen.before = seen.now if seen.minute == minute - 1 else 0
            seen.minute, seen.now = minute, 0
        return seen


def _wait(seen: _Count, a_minute: int, seconds: float) -> int:
    """Seconds until there is room for one more, if nobody else comes."""
    free = a_minute - seen.now
    if free > 0:  # this minute, as the last one's go out of sight
        room_at = _MINUTE * (1 - free / seen.before)
    else:  # the next one, as this minute's do
        room_at = _MINUTE + _MINUTE * (1 - a_minute / max(seen.now, 1))
    return int(room_at - seconds) + 1


def _too_many(a_minute: int, seconds: int) -> TooMany:
    return TooMany(
        f"more than {a_minute} requests a minute",
        resolution=f"Wait {seconds} s, or raise farm.requests on the server.",
        fields={"retry_after": seconds},
    )
