"""One line for each request that was answered. Queries and credentials are never in it."""

from __future__ import annotations

import json
import re
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lapstrake.web.sending import ZERO_COPY

_NOT_NOW = 503
_CONTROL = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}


class AccessLog(StrEnum):
    """How requests are told."""

    TEXT = "text"
    JSON = "json"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Logged:
    """An ASGI application whose requests are told on standard error.

    Args:
        app: what answers.
        form: text or JSON.
        quiet: requests that are told of only when they fail, by more than that they came when
            nothing could be answered (503): method and path match it.
    """

    app: ASGIApp
    form: AccessLog
    quiet: re.Pattern[str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let it answer, then tell."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, size, begun = 0, 0, time.perf_counter()

        async def count(message: Message) -> None:
            nonlocal status, size
            await send(message)
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == ZERO_COPY:
                size += message["count"]
            else:
                size += len(message.get("body", b""))

        try:
            await self.app(scope, receive, count)
        finally:
            milliseconds = (time.perf_counter() - begun) * 1000
            if not self._is_quiet(scope, status):
                size = 0 if scope["method"] == "HEAD" else size
                facts = _facts(scope, status, size, milliseconds)
                line = json.dumps(facts) if self.form is AccessLog.JSON else _text(facts)
                sys.stderr.write(line + "\n")

    def _is_quiet(self, scope: Scope, status: int) -> bool:
        if self.quiet is None or not (0 < status < 400 or status == _NOT_NOW):
            return False
        return self.quiet.fullmatch(f"{scope['method']} {scope['path']}") is not None


def _facts(scope: Scope, status: int, size: int, milliseconds: float) -> dict[str, Any]:
    """What is told of a request; status 0: the client left before there was an answer."""
    client = scope.get("client")
    agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "client": client[0] if client else "-",
        "user": scope.get("user") or "-",
        "method": scope["method"],
        "path": scope["path"],
        "status": status,
        "bytes": size,
        "ms": round(milliseconds, 1),
        "agent": agent.decode("latin-1"),
    }


def _text(facts: dict[str, Any]) -> str:
    """One line; whatever a client sent cannot begin another one."""
    words = ("time", "client", "user", "method", "path", "status", "bytes")
    line = " ".join(str(facts[word]) for word in words)
    return f"{line} {facts['ms']}ms {facts['agent']}".translate(_CONTROL)
