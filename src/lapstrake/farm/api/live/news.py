"""A place to wait for news: told from any thread, heard by any number in the loop's thread."""

from __future__ import annotations

import asyncio
from enum import StrEnum

_PAUSE = 0.05
"""Seconds between two times that all are woken: what comes meanwhile is sent together."""


class Heard(StrEnum):
    """Why somebody who waited goes on."""

    NEWS = "news"
    NOTHING = "nothing"
    """The connection should show that it lives."""


class News:
    """News about one thing; made and waited for in the loop's thread.

    Take `next` before looking at the thing, then wait for it: nothing is missed.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._next: asyncio.Future[Heard] = self._loop.create_future()
        self._told = 0.0
        self._waiting = False

    @property
    def next(self) -> asyncio.Future[Heard]:
        """What ends with the next news."""
        return self._next

    def tell(self) -> None:
        """Wake all, soon; from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._tell_soon)
        except RuntimeError:  # the loop has ended, and with it all who listened
            return

    def wake(self, heard: Heard = Heard.NEWS) -> None:
        """Wake all now; in the loop's thread."""
        self._waiting, self._told = False, self._loop.time()
        woken, self._next = self._next, self._loop.create_future()
        if not woken.done():
            woken.set_result(heard)

    def _tell_soon(self) -> None:
        if not self._waiting:
            self._waiting = True
            due = self._told + _PAUSE - self._loop.time()
            self._loop.call_later(max(due, 0.0), self.wake)


async def heard(news: asyncio.Future[Heard]) -> Heard:
    """Wait for news that others wait for, too."""
    return await asyncio.shield(news)
