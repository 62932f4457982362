"""Events as they happen: read once from the database, sent to all who listen."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

from starlette.concurrency import run_in_threadpool

from lapstrake.farm.api.live.news import Heard, News, heard
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.problems import Problem
from lapstrake.farm.values.history import Event
from lapstrake.web.events import COMMENT, event

_LOG = logging.getLogger("lapstrake.farm.api")
_KEPT = 1000
_LOOK_SECONDS = 3.0
"""How late events are that another server has written."""
_PAGE = 200
_RETRY = b"retry: 1000\n\n"


class Feed:
    """The newest events, for all who listen. In the loop's thread.

    Args:
        desk: has them.
        on_event: told of each one.
    """

    def __init__(self, desk: Desk, on_event: Callable[[Event], Awaitable[None]]) -> None:
        self._desk = desk
        self._on_event = on_event
        self._kept: deque[tuple[Event, bytes]] = deque(maxlen=_KEPT)
        self._last = 0
        self._news = News()
        self._heard = News()
        self._closed = False
        self._unsubscribe = desk.subscribe(lambda event: self._heard.tell())  # noqa: ARG005

    async def run(self) -> None:
        """Read what is new, again and again, until `close`."""
        self._last = await run_in_threadpool(self._desk.newest_event)
        told = False
        while not self._closed:
            waiting = self._heard.next
            try:
                await self._read()
                told = False
            except Problem as away:
                if not told:
                    _LOG.warning("events cannot be read: %s", away.brief)
                told = True
            await asyncio.wait({waiting}, timeout=_LOOK_SECONDS)

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._unsubscribe()
        self._heard.wake()
        self._news.wake()

    def quiet(self) -> None:
        """Show that the connections live."""
        self._news.wake(Heard.NOTHING)

    async def follow(
        self, after: int | None, task: int | None, group: int | None
    ) -> AsyncIterator[bytes]:
        """The events of a listener.

        Args:
            after: the last one that it knows; ``None`` for those that come from now on.
            task: only of this one.
            group: likewise.
        """
        last = self._last if after is None else after
        yield _RETRY
        while not self._closed:
            news = self._news.next
            for each, written in await self._since(last):
                last = each.id
                if task in (None, each.task) and group in (None, each.group):
                    yield written
            if last < self._last:
                continue
            if await heard(news) is Heard.NOTHING:
                yield COMMENT

    async def _since(self, last: int) -> list[tuple[Event, bytes]]:
        if (self._kept and self._kept[0][0].id <= last + 1) or last >= self._last:
            return [each for each in self._kept if each[0].id > last]
        page = await run_in_threadpool(self._desk.events, after=str(last), limit=_PAGE)
        return [(each, _written(each)) for each in page.items]

    async def _read(self) -> None:
        while True:
            page = await run_in_threadpool(self._desk.events, after=str(self._last), limit=_PAGE)
            for each in page.items:
                await self._on_event(each)  # first: what fails is read again
                self._kept.append((each, _written(each)))
                self._last = each.id
            if page.items:
                self._news.wake()
            if page.next is None:
                return


def _written(each: Event) -> bytes:
    return event(json.dumps(asdict(each)), id=each.id)
