"""uvicorn's HTTP protocol, with bounds for clients that send or take next to nothing.

uvicorn bounds only how long a connection lives on after a request. Without more, whoever drips a
request, or never reads an answer, holds a connection, its buffers and its file descriptor for ever.
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 30.0
"""In which a request's line and headers must have come, from their first byte on."""
BODY_SECONDS = 60.0
"""In which some more of a body must come."""
TAKING_SECONDS = 120.0
"""In which a client must take what fills its connection's buffers, some 64 KiB."""
_LONGEST_HEAD = 1 << 17
"""Bytes: of a request's line and headers, of a chunk's header, of trailers."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections of clients that are too slow, and bounds what the parser collects."""

    _unheard = 0
    _sending: asyncio.TimerHandle | None = None
    _taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Close it after a while if nothing comes, as uvicorn does after a request only."""
        super().connection_made(cast(asyncio.Transport, transport))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is waited for any more."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse some more; refuse what goes on with neither headers' end nor body."""
        if self._sending is None and (self.cycle is None or self.cycle.response_complete):
            self._wait_for_more(HEAD_SECONDS)
        self._unheard += len(data)
        super().data_received(data)
        if self._unheard > _LONGEST_HEAD and not self.transport.is_closing():
            self.send_400_response("The headers are too long.")

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._unheard = 0
        self._wait_for_more(BODY_SECONDS)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body; one that nobody reads any more wins no time."""
        self._unheard = 0
        if not self.cycle.response_complete:
            self._wait_for_more(BODY_SECONDS)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body has ended."""
        self._unheard = 0
        self._stop_waiting()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """The connection's buffers are full."""
        super().pause_writing()
        if self._taking is None:
            self._taking = self.loop.call_later(TAKING_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has taken most of it."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _wait_for_more(self, seconds: float) -> None:
        self._stop_waiting()
        self._sending = self.loop.call_later(seconds, self._too_slow, seconds)

    def _stop_waiting(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _too_slow(self, seconds: float) -> None:
        """Give it up, unless it is we who do not read."""
        if self.flow.read_paused:
            self._wait_for_more(seconds)
        else:
            self.transport.abort()
