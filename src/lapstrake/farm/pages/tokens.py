"""``/tokens``: who may do what, for those who run the farm."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.config.units import parse_duration
from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.pages.site import Site, acted, form_text, moved, page, shown
from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.scopes import Scope

_ALLOWS = {
    Scope.READ: "look at everything",
    Scope.SUBMIT: "the same, and build, cancel, build again",
    Scope.ADMIN: "the same, and drain workers, manage tokens and webhooks",
    Scope.WORKER: "a machine that builds: take tasks and bring results, nothing else",
}


def token_routes(site: Site) -> list[BaseRoute]:
    """The routes of tokens."""
    return [
        shown(site, "/tokens", _page, scope=Scope.ADMIN),
        acted(site, "/tokens", _add, scope=Scope.ADMIN),
        acted(site, "/tokens/{name}/remove", _remove, scope=Scope.ADMIN),
    ]


def _add(site: Site, request: Request, form: FormData) -> Response:
    """The secret is in this one answer only: it is no page that could be loaded again."""
    name, word = form_text(form, "name"), form_text(form, "scope")
    if word not in set(Scope):
        raise Invalid(f"there is no scope {word!r}", resolution=f"One of: {', '.join(Scope)}.")
    _, secret = site.tokens.add(name, Scope(word), seconds=_seconds(form_text(form, "expires")))
    response = _page(site, request, made=name, secret=secret)
    response.headers["Cache-Control"] = "no-store"
    return response


def _remove(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    site.tokens.remove(request.path_params["name"], by=viewer_of(request).name)
    return moved(request, "/tokens")


def _page(site: Site, request: Request, *, made: str = "", secret: str = "") -> Response:
    tokens = site.tokens.all()
    people = [token for token in tokens if token.scope is not Scope.WORKER]
    return page(
        request,
        "tokens.html",
        tokens=tokens,
        allows=_ALLOWS,
        likely=Scope.SUBMIT if people else Scope.ADMIN,
        open_to_all=not people,
        made=made,
        secret=secret,
    )


def _seconds(text: str) -> float:
    """How long a token holds; 0 for ever.

    Raises:
        Invalid: the text is no duration.
    """
    try:
        return parse_duration(text) if text else 0.0
    except ValueError as wrong:
        raise Invalid(str(wrong), resolution="Write 30d or 12h, or nothing for ever.") from wrong
