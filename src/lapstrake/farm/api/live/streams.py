"""All streams of a server, and what keeps them going."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lapstrake.farm.api.live.feed import Feed
from lapstrake.farm.api.live.logs import LogStreams
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.values.history import Event

_QUIET_SECONDS = 15.0


class Streams:
    """Logs and events; made in the loop's thread.

    Args:
        desk: has them.
    """

    def __init__(self, desk: Desk) -> None:
        self._loop = asyncio.get_running_loop()
        self.logs = LogStreams(desk)
        self.feed = Feed(desk, self._hear)

    async def _hear(self, event: Event) -> None:
        if event.task is not None:
            await self.logs.refresh(event.task)

    def close(self) -> None:
        """End all streams, so that the server can stop."""
        self.logs.close()
        self.feed.close()

    def close_soon(self) -> None:
        """The same, from any thread."""
        self._loop.call_soon_threadsafe(self.close)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(_QUIET_SECONDS)
            self.logs.quiet()
            self.feed.quiet()


@asynccontextmanager
async def streaming(desk: Desk) -> AsyncIterator[Streams]:
    """Streams that go on until the block ends."""
    streams = Streams(desk)
    working = [
        asyncio.create_task(streams.feed.run(), name="events"),
        asyncio.create_task(streams._keep_alive(), name="keeping alive"),
    ]
    try:
        yield streams
    finally:
        streams.close()
        for task in working:
            task.cancel()
