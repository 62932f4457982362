"""Sessions of browsers: a cookie that stands for a token, as long as that token is good."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from lapstrake.farm.access.proofs import Proofs
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.access.viewer import Viewer, implied
from lapstrake.farm.values.scopes import Scope
from lapstrake.web.signed import Seal

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
        seal = Seal(key=key, purpose="session", seconds=LIFETIME, clock=clock)
        self._proofs = Proofs(tokens=tokens, seal=seal)

    def open(self, secret: str) -> str | None:
        """The cookie's value for somebody who shows a token; ``None`` when it is no good."""
        token = self._tokens.find(secret.strip())
        if token is None or token.scope is Scope.WORKER:
            return None
        return self._proofs.write(token)

    def viewer(self, cookie: str) -> Viewer | None:
        """Whose session it is; ``None`` when it is over, or not ours."""
        token = self._proofs.read(cookie)
        if token is None:
            return None
        csrf = self._proofs.seal.mark(f"csrf {cookie}")
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
