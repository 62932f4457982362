"""Short-lived tokens, for clients that may pull without a password but not push.

Docker's clients send credentials only where ``/v2/`` asks for them, and give up when it asks those
without any for a password. So a registry that lets everybody pull has to speak the token protocol
(distribution.github.io, "Token Authentication Specification"): everybody gets a token, and those
with a password get one that may push.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.datastructures import URL
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from lapstrake.web.signed import Seal

TOKEN = "/token"  # noqa: S105 - a path
"""Where clients get them."""

LIFETIME = 3600
"""Seconds; a push that takes longer asks for another one."""

LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""

_SERVICE = "lapstrake"


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
    return _seal(key).sign({"user": grant.user, "push": grant.push})


def verify(token: str, key: bytes) -> Grant | None:
    """Read a token; ``None`` when it is not ours, or too old."""
    claims = _seal(key).read(token)
    return None if claims is None else Grant(user=claims["user"], push=claims["push"])


def token_answer(token: str) -> Response:
    """Give a client its token."""
    document = {"token": token, "access_token": token, "expires_in": LIFETIME}
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


def challenge(scope: Scope, *, bearer: bool) -> str:
    """What ``WWW-Authenticate`` says to a request that needs credentials.

    Args:
        scope: of the request.
        bearer: send clients for a token, which those without credentials get, too; otherwise they
            are asked for a password.
    """
    if not bearer:
        return f'Basic realm="{_SERVICE}"'
    realm = URL(scope=scope).replace(path=TOKEN, query="")
    wanted = _wanted(scope)
    said = f'Bearer realm="{realm}",service="{_SERVICE}"'
    return f'{said},scope="{wanted}"' if wanted else said


def _wanted(scope: Scope) -> str:
    """What the token protocol calls this request: ``repository:NAME:pull,push``."""
    path = scope["path"]
    for word in ("/manifests/", "/blobs/", "/tags/", "/referrers/"):
        name, found, _ = path.removeprefix("/v2/").rpartition(word)
        if found and path.startswith("/v2/"):
            actions = "pull" if scope["method"] in LOOKING else "pull,push"
            return f"repository:{name}:{actions}"
    return ""


def _seal(key: bytes) -> Seal:
    return Seal(key=key, purpose="registry", seconds=LIFETIME)
