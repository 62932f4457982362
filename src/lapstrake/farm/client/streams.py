"""Server-sent events, as HTML's specification (9.2.6) has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event of a stream.

    Attributes:
        kind: its ``event``; ``message`` when it has none.
        id: the newest ``id`` so far, empty for none.
        data: its ``data`` lines.
    """

    kind: str
    id: str
    data: tuple[str, ...]


def server_events(pieces: Iterable[bytes]) -> Iterator[ServerEvent]:
    """Read a stream of bytes; what breaks off in the middle of an event is dropped."""
    kind, identifier, data = "", "", list[str]()
    for line in _lines(pieces):
        if not line:
            if data:
                yield ServerEvent(kind=kind or "message", id=identifier, data=tuple(data))
            kind, data = "", []
            continue
        name, _, value = line.partition(b":")
        text = value.removeprefix(b" ").decode("utf-8", "replace")
        match name:
            case b"event":
                kind = text
            case b"data":
                data.append(text)
            case b"id":
                identifier = text


def _lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut at CR, LF or CRLF, and at nothing else that Unicode calls a line's end."""
    rest, after_return = b"", False
    for piece in pieces:
        if not piece:
            continue
        fresh = piece.removeprefix(b"\n") if after_return else piece  # the other half of a CRLF
        after_return = piece.endswith(b"\r")
        *lines, rest = _LINE_END.split(rest + fresh)
        yield from lines
