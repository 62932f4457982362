"""How much a request may send where all of it is read into memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lapstrake.farm.problems import Problem, TooLarge

LARGEST_BODY = 32 << 20
"""Bytes: ten thousand members of a group take a third of it."""

_STREAMED = re.compile(
    r"/api/v1/uploads/[^/]+|/api/v1/tasks/[^/]+/attempts/[^/]+/log|/task/[^/]+/build_bundle"
)
"""What is read piece by piece, and has bounds of its own; so do the pages' forms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """An ASGI application in front of another one.

    Attributes:
        app: what is behind it.
        answer: writes a problem.
        largest: bytes of a body.
    """

    app: ASGIApp
    answer: Callable[[Problem, str], Response]
    largest: int = LARGEST_BODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http" or not _is_whole(scope["path"]):
            await self.app(scope, receive, send)
            return
        told = Headers(scope=scope).get("content-length", "0")
        if told.isdecimal() and int(told) > self.largest:
            await self.answer(self._problem(), scope["path"])(scope, receive, send)
            return
        await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        """Of what does not say how much comes, no more is taken."""
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self.largest:
                raise self._problem()
            return message

        return counted

    def _problem(self) -> TooLarge:
        return TooLarge(
            f"a request may have {self.largest} bytes",
            resolution="Send files as uploads, and long lists in parts.",
            fields={"limit": self.largest},
        )


def _is_whole(path: str) -> bool:
    return path.startswith(("/api/", "/task")) and not _STREAMED.fullmatch(path)
