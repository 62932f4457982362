"""uvicorn's HTTP protocol, with files handed to the kernel (sendfile(2)).

Implements the ASGI extension "Zero Copy Send" (asgi.readthedocs.io, extensions), which uvicorn does
not. Over TLS, where the kernel cannot, asyncio reads the file in pieces.
"""

from __future__ import annotations

import asyncio
import errno
import os
import select
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from lapstrake.web.bounded_protocol import TAKING_SECONDS, BoundedProtocol
from lapstrake.web.sending import ZERO_COPY

Message = dict[str, Any]
_THREADS = ThreadPoolExecutor(16, "sendfile")
_TURN_SECONDS = 0.1
_MOMENT_MS = 5
Send = Callable[[Message], Awaitable[None]]


class SendfileProtocol(BoundedProtocol):
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
    transport, file = cycle.transport, message["file"]
    offset, count = message["offset"], message["count"]
    plain = transport.get_extra_info("sslcontext") is None
    try:
        if plain and not transport.get_write_buffer_size():
            await _send_in_threads(loop, transport, file.fileno(), offset, count)
        else:
            await loop.sendfile(transport, file, offset, count)
    except (OSError, RuntimeError):  # the client left, or asyncio had noticed that it did
        cycle.disconnected = True
        transport.abort()
        return
    except asyncio.CancelledError:
        transport.abort()
        raise
    cycle.expected_content_length = 0
    await cycle.send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_in_threads(
    loop: asyncio.AbstractEventLoop,
    transport: asyncio.Transport,
    file: int,
    offset: int,
    count: int,
) -> None:
    """What asyncio's own sendfile does, but not in the loop's thread.

    Copying and reading from a slow disk then stop no other client, and use every processor.

    Raises:
        OSError: the client left, or the file is shorter than it was.
    """
    # A second descriptor: the transport may close its own meanwhile, and asyncio lets nobody else
    # wait for that one.
    socket = os.dup(transport.get_extra_info("socket").fileno())
    try:
        while count:
            sent = await _uninterrupted(
                loop.run_in_executor(_THREADS, _send_some, socket, file, offset, count)
            )
            offset, count = offset + sent, count - sent
            if count:
                await _writable(loop, socket)
    finally:
        os.close(socket)


def _send_some(socket: int, file: int, offset: int, count: int) -> int:
    """Send as much as a client takes that reads quickly; gives the number of bytes.

    To wait here for a moment costs much less than going back to the loop for each socket's buffer.
    Slow clients, and after a while quick ones, too, leave the thread to others.

    Raises:
        OSError: as of `_send_in_threads`.
    """
    poll = select.poll()
    poll.register(socket, select.POLLOUT)
    done, end = 0, time.monotonic() + _TURN_SECONDS
    while done < count and time.monotonic() < end:
        try:
            sent = os.sendfile(socket, file, offset + done, count - done)
        except BlockingIOError:
            if not poll.poll(_MOMENT_MS):
                break
            continue
        if not sent:
            raise OSError(errno.EIO, "the file was cut short")
        done += sent
    return done


async def _uninterrupted(work: asyncio.Future[int]) -> int:
    """Wait for a thread even when cancelled: it uses descriptors that are closed next."""
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait({work})
        raise


async def _writable(loop: asyncio.AbstractEventLoop, socket: int) -> None:
    """Wait until the client has taken something.

    Raises:
        TimeoutError: it takes nothing.
    """
    ready = asyncio.Event()
    loop.add_writer(socket, ready.set)
    try:
        await asyncio.wait_for(ready.wait(), TAKING_SECONDS)
    finally:
        loop.remove_writer(socket)
