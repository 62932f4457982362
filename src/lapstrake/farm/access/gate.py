"""In front of everything: who asks, whether they may, and how often."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lapstrake.config.model import FarmConfig
from lapstrake.farm.access.proofs import ANYBODY, Proofs
from lapstrake.farm.access.rates import Rates
from lapstrake.farm.access.scopes import allowed_by
from lapstrake.farm.access.sessions import COOKIE, Sessions
from lapstrake.farm.access.tokens import Token, Tokens
from lapstrake.farm.access.viewer import EVERYTHING, Viewer, implied, set_viewer
from lapstrake.farm.problems import NotAllowed, NoToken, Problem, Unknown
from lapstrake.farm.values.scopes import Scope as Right
from lapstrake.web.listening import is_loopback

PROGRAMS = re.compile(r"/(api|task|builder|metrics|repository|artifacts|problems|v2|token)(/|\Z)")
"""Paths that programs ask for; pages ask people to log in themselves."""
_BLOBS = re.compile(r"/v2/.+/blobs/.+")
"""An image is a hundred of them, by digest, each a file: they are not counted, only uploads are."""
_FORWARDED = frozenset({"forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
"""Headers of proxies."""
_LOOKING = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Of answers that say nothing else of their own."""

Answer = Callable[[Problem, Scope], Response]


@dataclass(slots=True, kw_only=True)
class Gate:
    """An ASGI application in front of another one.

    Attributes:
        app: what is behind it; see `lapstrake.farm.access.viewer.viewer_of`.
        tokens: the server's.
        sessions: of browsers.
        proofs: of clients of images.
        rates: how often each may ask.
        answer: writes the problem of a request.
        loopback: whether only this machine reaches the server: as long as there are no tokens,
            whoever is here may do everything.
        farm: gives the settings that hold now.
    """

    app: ASGIApp
    tokens: Tokens
    sessions: Sessions
    proofs: Proofs
    rates: Rates
    answer: Answer
    loopback: bool
    farm: Callable[[], FarmConfig]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            _check_path(scope["path"])
            viewer = await run_in_threadpool(self._viewer, scope)
            _check_scope(scope, viewer)
        except Problem as problem:
            await self.answer(problem, scope)(scope, receive, _guarded(send))
            return
        scope["lapstrake.sessions"] = self.sessions
        set_viewer(scope, viewer)
        await self.app(scope, receive, _guarded(send))

    def _viewer(self, scope: Scope) -> Viewer:
        """Who asks.

        Raises:
            NoToken: what they show is no good.
            NotAllowed: another site's page made a browser ask.
            TooMany: they ask too often.
        """
        headers = Headers(scope=scope)
        client = scope.get("client") or ("",)
        authorization = headers.get("authorization", "")
        if authorization and authorization != f"Bearer {ANYBODY}":
            return self._bearer(scope, authorization, client[0])
        cookie = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")
        viewer = self.sessions.viewer(cookie) if cookie else None
        if viewer is None and self.loopback and not self.tokens.any:
            _check_near(headers, urlsplit(self.farm().url).hostname)
            viewer = Viewer(name="local", scopes=EVERYTHING)
        if viewer is not None:
            _check_origin(scope["method"], headers)
        elif self.farm().anonymous_read:
            viewer = Viewer(scopes=implied(Right.READ))
        self._count(scope, viewer, client[0])
        return viewer or Viewer()

    def _bearer(self, scope: Scope, authorization: str, client: str) -> Viewer:
        secret = _secret(authorization)
        token = self.tokens.find(secret) or self.proofs.read(secret)
        if token is None:
            self._count(scope, None, client)
            raise NoToken(
                "the token is no good: unknown, removed or too old",
                resolution="Ask for another: lapstrake farm token add NAME, on the server.",
            )
        viewer = _viewer(token)
        self._count(scope, viewer, client)
        return viewer

    def _count(self, scope: Scope, viewer: Viewer | None, client: str) -> None:
        """One more of whoever asks, by name or else by address."""
        counts = scope["method"] == "POST" or not _BLOBS.match(scope["path"])
        if viewer is None or counts:
            who = f"token {viewer.name}" if viewer and viewer.name else client
            self.rates.count(who, self.farm().requests)


def _secret(authorization: str) -> str:
    """The token that is shown: ``Bearer``, or as the password of ``Basic``, as apt sends it."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return text.strip()
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except ValueError:
        return ""
    return decoded.partition(":")[2] if scheme.lower() == "basic" else ""


def _viewer(token: Token) -> Viewer:
    return Viewer(name=token.name, scopes=implied(token.scope))


def _check_path(path: str) -> None:
    """Refuse paths that routes could read otherwise than we do.

    A route's expression ends with ``$``, which takes one more line's end: ``/task%0A`` is ``/task``
    there, and no path of ours here.
    """
    if not path.isprintable():
        raise Unknown(f"there is no {path[:200]!r}", resolution="See /api/v1/docs.")


def _check_scope(scope: Scope, viewer: Viewer) -> None:
    """See whether a program may ask for this.

    Raises:
        NoToken: a token is needed.
        NotAllowed: another one is.
    """
    wanted = allowed_by(scope["method"], scope["path"])
    if not wanted or wanted & viewer.scopes or not PROGRAMS.match(scope["path"]):
        return
    names = " or ".join(sorted(wanted))
    if not viewer.name:
        raise NoToken(
            f"this needs a token with the scope {names}",
            resolution="Send it as 'Authorization: Bearer TOKEN'.",
        )
    raise NotAllowed(
        f"this needs the scope {names}, and the token {viewer.name} does not have it",
        resolution=f"Ask for a token with the scope {names}.",
        fields={"scopes": sorted(wanted)},
    )


def _check_near(headers: Headers, ours: str | None) -> None:
    """Refuse who comes from elsewhere all the same, where no token is asked for.

    That is through a proxy on this machine, or as a page whose name was made to mean this machine
    (DNS rebinding).
    """
    if not _FORWARDED.isdisjoint(headers.keys()):
        raise NotAllowed(
            "a proxy has sent this, and the server has no tokens to tell people apart",
            resolution="Make one on the server: lapstrake farm token add NAME --scope admin.",
        )
    name = _parsed(f"//{headers.get('host', '')}").hostname or ""
    if name == ours or is_loopback(name):
        return
    raise NotAllowed(
        f"this server is not {name!r}",
        resolution="Ask for it as 127.0.0.1 or localhost, or set farm.url.",
    )


def _parsed(address: str) -> SplitResult:
    """An address that a client sent; one that makes no sense is nobody's."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _check_origin(method: str, headers: Headers) -> None:
    """Refuse what pages of other sites make browsers send with our cookie, or from this machine."""
    if method in _LOOKING:
        return
    site, origin = headers.get("sec-fetch-site", "none"), headers.get("origin")
    foreign = origin is not None and _parsed(origin).netloc != headers.get("host", "")
    if site not in {"none", "same-origin"} or foreign:
        raise NotAllowed(
            "another site's page sent this", resolution="Use the server's own page, or a token."
        )


def _guarded(send: Send) -> Send:
    """Every answer says how browsers may use it."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            _add_headers(message)
        await send(message)

    return with_headers


def _add_headers(message: MutableMapping[str, Any]) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in _HEADERS.items():
        headers.setdefault(name, value)
