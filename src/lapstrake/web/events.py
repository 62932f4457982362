"""Server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.responses import StreamingResponse

HEADERS: Mapping[str, str] = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""A stream is not kept, and no proxy waits for more of it."""

COMMENT = b":\n\n"
"""Says nothing, but that the connection lives."""

_RETURN_SIGN = "\N{SYMBOL FOR CARRIAGE RETURN}"


def event(data: str, *, name: str = "", id: int | None = None) -> bytes:
    """Write an event.

    Args:
        data: its lines; what ends a line to the protocol but not to us is shown as a sign.
        name: of the event; empty for ``message``.
        id: what the client says when it comes back.
    """
    if "\r" in data:
        data = data.replace("\r\n", "\n").removesuffix("\r").replace("\r", _RETURN_SIGN)
    head = (f"id: {id}\n" if id is not None else "") + (f"event: {name}\n" if name else "")
    return f"{head}data: {data.replace(chr(10), chr(10) + 'data: ')}\n\n".encode()


def last_id(header: str) -> int | None:
    """The id in ``Last-Event-ID`` of a client that comes back; ``None`` for none of ours."""
    return int(header) if header.isascii() and header.isdigit() else None


def event_stream(events: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with events as they come."""
    return StreamingResponse(events, media_type="text/event-stream", headers=dict(HEADERS))
