"""Requests that are sent again while what stands in their way passes."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from lapstrake.errors import FarmError
from lapstrake.farm.client.answer import RETRY_AFTER
from lapstrake.farm.problems import Problem

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_DOUBLINGS = 10  # more than are needed: no float is as large as what hours of tries would ask for
_TELLS = 2  # a restart of the server is over before the third try, mostly


class Patience:
    """Tries again and again, with growing pauses, for some time.

    Args:
        on_wait: told what stands in the way, once for each request that is sent again.
    """

    def __init__(self, on_wait: Callable[[str], None] | None) -> None:
        self._on_wait = on_wait
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Have threads that wait to try again give up at once."""
        self._stopped.set()

    def call(self, once: Callable[[], T], seconds: float, kinds: tuple[type[FarmError], ...]) -> T:
        """Try until it works, or what stands in the way does not pass.

        Args:
            once: one try.
            seconds: after which nothing is tried again.
            kinds: of errors that pass.
        """
        until = time.monotonic() + seconds
        for count in itertools.count():
            try:
                return once()
            except kinds as passing:
                pause = _pause(count, passing)
                if time.monotonic() + pause > until:
                    raise
                if count == _TELLS and self._on_wait is not None:
                    self._on_wait(f"{passing.brief}; trying again for {seconds:.0f} s")
                if self._stopped.wait(pause):
                    raise
        raise AssertionError  # the loop has no end


def _pause(count: int, passing: FarmError) -> float:
    """Seconds before the next try: as many as the server asks for, at least."""
    longest: float = min(_FIRST_PAUSE * 2 ** min(count, _DOUBLINGS), _LONGEST_PAUSE)
    pause = longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads clients
    fields: Mapping[str, object] = passing.fields if isinstance(passing, Problem) else {}
    asked = fields.get(RETRY_AFTER)
    return max(pause, asked) if isinstance(asked, float) else pause
