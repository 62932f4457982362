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
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lapstrake.host.files import write_atomic
from lapstrake.host.locks import locked

LIFETIME = 3600
"""Seconds; a push that takes longer asks for another one."""
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a token stands for.

    Attributes:
        user: whose it is; empty for anybody's.
        push: whether it may change anything.
    """

    user: str
    push: bool


def signing_key(path: Path) -> bytes:
    """The secret that tokens are signed with, shared by all processes; made at the first use."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with locked(path.with_name(f"{path.name}.lock"), what="the registry's key"):
        with suppress(FileNotFoundError):
            key = path.read_bytes()
            if len(key) == _KEY_BYTES:  # an empty one, after a crash, would be everybody's
                return key
        key = secrets.token_bytes(_KEY_BYTES)
        write_atomic(path, key, mode=0o600)
        return key


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
