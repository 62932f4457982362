"""Sessions of browsers: a cookie that stands for a token, as long as that token is good.

The cookie is signed, not kept: it names the token, and the token is looked up for each request, so
that a removed one ends its sessions.
"""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from lapstrake.farm.access.tokens import Token, Tokens
from lapstrake.farm.access.viewer import Viewer, implied
from lapstrake.farm.values.scopes import Scope

COOKIE = "lapstrake_session"
LIFETIME = 7 * 86400
"""Seconds after which one has to log in again."""


class Sessions:
    """Opens sessions, and knows whose they are.

    Args:
        tokens: what people log in with.
        key: what cookies are signed with.
        clock: the time.
    """

    def __init__(self, tokens: Tokens, key: bytes, clock: Callable[[], float] = time.time) -> None:
        self._tokens = tokens
        self._key = key
        self._clock = clock

    def open(self, secret: str) -> str | None:
        """The cookie's value for somebody who shows a token; ``None`` when it is no good."""
        token = self._tokens.find(secret.strip())
        if token is None or token.scope is Scope.WORKER:
            return None
        until = int(self._clock()) + LIFETIME
        claims = {"name": token.name, "created": token.created, "until": until}
        text = base64.urlsafe_b64encode(json.dumps(claims).encode())
        return f"{text.decode()}.{self._sign(text)}"

    def viewer(self, cookie: str) -> Viewer | None:
        """Whose session it is; ``None`` when it is over, or not ours."""
        text, _, signature = cookie.partition(".")
        if not hmac.compare_digest(self._sign(text.encode()).encode(), signature.encode()):
            return None
        claims = json.loads(base64.urlsafe_b64decode(text))
        token = self._tokens.named(claims["name"])
        if token is None or claims["until"] < self._clock() or token.created != claims["created"]:
            return None
        return _viewer(token, csrf=self._sign(b"csrf " + cookie.encode()))

    def _sign(self, text: bytes) -> str:
        return hmac.digest(self._key, text, "sha256").hex()


def _viewer(token: Token, *, csrf: str) -> Viewer:
    return Viewer(name=token.name, scopes=implied(token.scope), csrf=csrf)


def sessions_of(request: Request) -> Sessions:
    """The server's sessions; the gate has put them there."""
    return cast(Sessions, request.scope["lapstrake.sessions"])


def set_cookie(request: Request, response: Response, value: str) -> None:
    """Give a browser its session."""
    secure = request.url.scheme == "https"
    response.set_cookie(
        COOKIE, value, max_age=LIFETIME, httponly=True, samesite="strict", secure=secure, path="/"
    )


def clear_cookie(response: Response) -> None:
    """Take it back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
