"""Files sent by the kernel (sendfile(2)), whole or in part."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

ZERO_COPY = "http.response.zerocopysend"
"""The ASGI extension by which a server takes an open file instead of bytes."""

_PIECE = 1 << 20
_DIGITS = re.compile(r"[0-9]{1,18}\Z")

_HARMLESS = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
"""What a package brought may be a page: a browser must not take it for one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Which bytes of something a client wants.

    Attributes:
        start: the first one.
        end: the one after the last one.
        status: 200 for all, 206 for a range, 416 for one that is not there.
        headers: ``Content-Length`` and, for ranges, ``Content-Range``.
    """

    start: int
    end: int
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def wanted_range(request: Request, size: int, etag: str) -> Part:
    """Read the ``Range`` and ``If-Range`` headers (RFC 9110, 13.1.5 and 14.2).

    Several ranges at once, and what is no range of bytes, are answered with everything, as the RFC
    allows.
    """
    whole = Part(start=0, end=size, headers={"Content-Length": str(size)})
    unit, _, text = request.headers.get("range", "").partition("=")
    first, dash, last = (word.strip() for word in text.partition("-"))
    words_are_numbers = all(_DIGITS.match(word) for word in (first, last) if word)
    if unit.strip().lower() != "bytes" or not dash or not (first or last) or not words_are_numbers:
        return whole
    if request.headers.get("if-range", etag) != etag:
        return whole
    if first and last and int(first) > int(last):
        return whole
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= end:
        return Part(start=0, end=0, status=416, headers={"Content-Range": f"bytes */{size}"})
    said = {"Content-Range": f"bytes {start}-{end - 1}/{size}", "Content-Length": str(end - start)}
    return Part(start=start, end=end, status=206, headers=said)


def is_current(request: Request, etag: str) -> bool:
    """Whether the client has this already (RFC 9110, ``If-None-Match``)."""
    said = request.headers.get("if-none-match")
    if said is None:
        return False
    known = {word.strip().removeprefix("W/") for word in said.split(",")}
    return etag in known or "*" in known


class FileAnswer(Response):
    """An answer whose body is a file, or a range of it.

    Args:
        request: what was asked; HEAD is answered without a body.
        path: the file, which is never changed in place.
        headers: of the answer, ``ETag`` and ``Content-Type`` among them.

    Raises:
        FileNotFoundError: there is no such file.
    """

    def __init__(self, request: Request, path: Path, headers: Mapping[str, str]) -> None:
        self._file = path.open("rb", buffering=0)
        size = os.fstat(self._file.fileno()).st_size
        self._part = wanted_range(request, size, headers.get("ETag", ""))
        super().__init__(status_code=self._part.status, headers={**headers, **self._part.headers})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        """Send it."""
        with self._file:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            start, end = self._part.start, self._part.end
            if scope["method"] == "HEAD" or start == end:
                await send({"type": "http.response.body"})
            elif ZERO_COPY in scope.get("extensions", {}):
                await send(
                    {"type": ZERO_COPY, "file": self._file, "offset": start, "count": end - start}
                )
            else:
                await self._copy(send, start, end)

    async def _copy(self, send: Send, start: int, end: int) -> None:
        """Send it through this process, for servers that cannot do better."""
        while start < end:
            descriptor, most = self._file.fileno(), min(_PIECE, end - start)
            piece = await run_in_threadpool(os.pread, descriptor, most, start)
            start = start + len(piece) if piece else end  # cut short: the server notices
            await send({"type": "http.response.body", "body": piece, "more_body": start < end})


def answer_file(request: Request, path: Path, headers: Mapping[str, str]) -> Response:
    """Answer with a file, unless the client has it already.

    Args:
        request: what was asked.
        path: the file, which is never changed in place.
        headers: of the answer, ``ETag`` among them.

    Raises:
        FileNotFoundError: there is no such file.
    """
    if is_current(request, headers["ETag"]):
        return Response(status_code=304, headers=dict(headers))
    return FileAnswer(request, path, headers)


def send_file(request: Request, path: Path, *, media_type: str) -> Response:
    """Answer with a file that is replaced by rename only: ranges and conditions hold.

    Raises:
        FileNotFoundError, IsADirectoryError, NotADirectoryError: there is no such file.
    """
    facts = path.stat()
    etag = f'"{facts.st_ino:x}-{facts.st_size:x}-{facts.st_mtime_ns:x}"'
    headers = {
        "ETag": etag,
        "Last-Modified": formatdate(facts.st_mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "Content-Type": media_type,
        **_HARMLESS,
    }
    return answer_file(request, path, headers)
