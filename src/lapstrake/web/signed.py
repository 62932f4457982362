"""Texts that a server signs instead of keeping them: cookies of sessions, passes of clients."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """Signs for one purpose, and believes nothing that was signed for another.

    Attributes:
        key: the server's secret, see `lapstrake.web.keys`.
        purpose: what the texts are for.
        seconds: how long they hold.
        clock: the time, seconds since 1970.
    """

    key: bytes
    purpose: str
    seconds: float
    clock: Callable[[], float] = time.time

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Write claims, what JSON can hold, as a text that holds for a while."""
        until = int(self.clock() + self.seconds)
        text = base64.urlsafe_b64encode(json.dumps({**claims, "until": until}).encode()).decode()
        return f"{text}.{self.mark(text)}"

    def read(self, text: str) -> Mapping[str, Any] | None:
        """The claims of a text that `sign` wrote; ``None`` when it did not, or long ago."""
        body, _, mark = text.partition(".")
        if not hmac.compare_digest(self.mark(body).encode(), mark.encode()):
            return None
        claims: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(body))
        return claims if claims["until"] >= self.clock() else None

    def mark(self, text: str) -> str:
        """What only we can write under a text: HMAC-SHA256, hexadecimal."""
        return hmac.digest(self.key, f"{self.purpose}\0{text}".encode(), "sha256").hex()
