"""Who may do what: asked before anything else of every request."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from starlette.datastructures import URL, Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from lapstrake.registry.access import tokens
from lapstrake.registry.access.passwords import Passwords
from lapstrake.registry.access.tokens import Grant
from lapstrake.registry.answers import problem_answer
from lapstrake.registry.problems import Problem

HEALTH = "/healthz"
TOKEN = "/token"  # noqa: S105 - a path
_SERVICE = "lapstrake"
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
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
        looking = scope["method"] in _LOOKING
        if grant is None and not authorization and self.anonymous_pull and looking:
            # Docker's clients never send credentials to a registry that does not ask here.
            return self._challenge(scope) if scope["path"] in ("/v2/", "/v2") else None
        if grant is None or not (grant.push or looking):
            return self._challenge(scope)
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
            return self._challenge(scope, basic=True)
        token = tokens.sign(grant or _ANYBODY, self.key)
        document = {"token": token, "access_token": token, "expires_in": tokens.LIFETIME}
        return JSONResponse(document, headers={"Cache-Control": "no-store"})

    def _challenge(self, scope: Scope, *, basic: bool = False) -> Response:
        """Ask for credentials, in the way that clients can answer."""
        said = f'Basic realm="{_SERVICE}"'
        if self.anonymous_pull and not basic:
            realm = URL(scope=scope).replace(path=TOKEN, query="")
            said = f'Bearer realm="{realm}",service="{_SERVICE}"'
            wanted = _wanted(scope)
            if wanted:
                said += f',scope="{wanted}"'
        problem = Problem(401, "UNAUTHORIZED", "this needs credentials that are right")
        return problem_answer(problem, {"WWW-Authenticate": said})


def _wanted(scope: Scope) -> str:
    """What the token protocol calls this request: ``repository:NAME:pull,push``."""
    path = scope["path"]
    for word in ("/manifests/", "/blobs/", "/tags/", "/referrers/"):
        name, found, _ = path.removeprefix("/v2/").rpartition(word)
        if found and path.startswith("/v2/"):
            actions = "pull" if scope["method"] in _LOOKING else "pull,push"
            return f"repository:{name}:{actions}"
    return ""
