"""``/login`` and ``/logout``: a token becomes a cookie."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.access.sessions import clear_cookie, sessions_of, set_cookie
from lapstrake.farm.pages.site import Site, acted, moved, page, shown


def login_routes(site: Site) -> list[BaseRoute]:
    """The routes of the door."""
    return [
        shown(site, "/login", _form, scope=None),
        acted(site, "/login", _enter, scope=None),
        acted(site, "/logout", _leave, scope=None),
    ]


def _form(site: Site, request: Request) -> Response:  # noqa: ARG001 - a page's
    onward = _onward(request.query_params.get("next", ""))
    return page(request, "login.html", onward=onward, wrong=False)


def _enter(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    onward = _onward(str(form.get("next") or ""))
    value = sessions_of(request).open(str(form.get("token") or "").strip()[:200])
    if value is None:
        return page(request, "login.html", status=401, onward=onward, wrong=True)
    response = moved(request, onward)
    set_cookie(request, response, value)
    return response


def _leave(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    response = moved(request, "/login")
    clear_cookie(response)
    return response


def _onward(path: str) -> str:
    """Where to go afterwards: a page of ours, whatever the address says."""
    parts = urlsplit(path.replace("\\", "/"))
    ours = path.startswith("/") and not path.startswith("//") and not parts.netloc
    return path if ours and path.isprintable() else "/"
