"""Short-lived tokens, for clients that may pull without a password but not push.

Docker's clients send credentials only where ``/v2/`` asks for them, and give up when it asks those
without any for a password. So a registry that lets everybody pull has to speak the token protocol
(distribution.github.io, "Token Authentication Specification"): everybody gets a token, and those
with a password get one that may push.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass

LIFETIME = 3600
"""Seconds; a push that takes longer asks for another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token stands for.

    Attributes:
        user: whose it is; empty for anybody's.
        push: whether it may change anything.
    """

    user: str
    push: bool


def sign(grant: Grant, key: bytes) -> str:
    """Write a token."""
    claims = {"user": grant.user, "push": grant.push, "until": int(time.time()) + LIFETIME}
    text = base64.urlsafe_b64encode(json.dumps(claims).encode())
    return f"{text.decode()}.{hmac.digest(key, text, 'sha256').hex()}"


def verify(token: str, key: bytes) -> Grant | None:
    """Read a token; ``None`` when it is not ours, or too old."""
    text, _, signature = token.partition(".")
    expected = hmac.digest(key, text.encode(), "sha256").hex()
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    claims = json.loads(base64.urlsafe_b64decode(text))
    if claims["until"] < time.time():
        return None
    return Grant(user=claims["user"], push=claims["push"])
