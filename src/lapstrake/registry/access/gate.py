"""Who may do what: asked before anything else of every request."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lapstrake.registry.access import tokens
from lapstrake.registry.access.passwords import Passwords
from lapstrake.registry.access.tokens import LOOKING, TOKEN, Grant, challenge
from lapstrake.registry.answers import problem_answer
from lapstrake.registry.problems import Problem

HEALTH = "/healthz"
_ANYBODY = Grant(user="", push=False)


@dataclass(slots=True)
class Gate:
    """An ASGI application in front of another one.

    Args:
        app: what is behind it; finds the user's name in ``scope["user"]``.
        passwords: the credentials that are right; with none at all everybody may do everything.
        anonymous_pull: whether those without credentials may look.
        key: what tokens are signed with.
    """

    app: ASGIApp
    passwords: Passwords
    anonymous_pull: bool
    key: bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http" or not self.passwords.any or scope["path"] == HEALTH:
            await self.app(scope, receive, send)
            return
        authorization = Headers(scope=scope).get("authorization", "")
        grant = await self._grant(authorization)
        answer = self._answer(scope, grant, authorization)
        if answer is not None:
            await answer(scope, receive, send)
            return
        scope["user"] = grant.user if grant is not None else ""
        await self.app(scope, receive, send)

    def _answer(self, scope: Scope, grant: Grant | None, authorization: str) -> Response | None:
        """What to say instead of what is behind the gate; ``None`` to let in."""
        if scope["path"] == TOKEN and self.anonymous_pull:
            return self._token(scope, grant, authorization)
        looking = scope["method"] in LOOKING
        if grant is None and not authorization and self.anonymous_pull and looking:
            # Docker's clients never send credentials to a registry that does not ask here.
            return _challenge(scope, bearer=True) if scope["path"] in ("/v2/", "/v2") else None
        if grant is None or not (grant.push or looking):
            return _challenge(scope, bearer=self.anonymous_pull)
        return None

    async def _grant(self, authorization: str) -> Grant | None:
        """What an ``Authorization`` header allows."""
        scheme, _, text = authorization.partition(" ")
        text = text.strip()
        if scheme.lower() == "bearer":
            if self.passwords.is_token(text):
                return Grant(user="token", push=True)
            return tokens.verify(text, self.key)
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        if colon and await self.passwords.accepts(user, password):
            return Grant(user=user, push=True)
        return None

    def _token(self, scope: Scope, grant: Grant | None, authorization: str) -> Response:
        if scope["method"] != "GET":
            return problem_answer(Problem(405, "UNSUPPORTED", "GET it"), {"Allow": "GET"})
        if grant is None and authorization:
            return _challenge(scope, bearer=False)
        return tokens.token_answer(tokens.sign(grant or _ANYBODY, self.key))


def _challenge(scope: Scope, *, bearer: bool) -> Response:
    """Ask for credentials, in the way that clients can answer."""
    problem = Problem(401, "UNAUTHORIZED", "this needs credentials that are right")
    return problem_answer(problem, {"WWW-Authenticate": challenge(scope, bearer=bearer)})
