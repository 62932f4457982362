"""uvicorn's HTTP protocol, with files handed to the kernel (sendfile(2)).

Implements the ASGI extension "Zero Copy Send" (asgi.readthedocs.io, extensions), which uvicorn does
not. Over TLS, where the kernel cannot, asyncio reads the file in pieces.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from lapstrake.registry.sending import ZERO_COPY

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]


class SendfileProtocol(HttpToolsProtocol):
    """Offers the extension to every request."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - an ASGI application
        async def with_files(scope: Message, receive: object, send: Send) -> None:
            async def send_or_copy(message: Message) -> None:
                if message["type"] == ZERO_COPY:
                    await _send_file(self.loop, cycle, message)
                else:
                    await send(message)

            scope.setdefault("extensions", {})[ZERO_COPY] = {}
            await app(scope, receive, send_or_copy)

        super()._start_asgi_task(cycle, cast(Any, with_files))


async def _send_file(
    loop: asyncio.AbstractEventLoop, cycle: RequestResponseCycle, message: Message
) -> None:
    """Send a whole body, of the length that the headers said."""
    if cycle.disconnected:
        return
    try:
        sent = await loop.sendfile(
            cycle.transport, message["file"], message["offset"], message["count"]
        )
    except (OSError, RuntimeError):  # the client left, or asyncio had noticed that it did
        cycle.disconnected = True
        cycle.transport.abort()
        return
    except asyncio.CancelledError:
        cycle.transport.abort()
        raise
    cycle.expected_content_length -= sent
    await cycle.send({"type": "http.response.body", "body": b"", "more_body": False})
