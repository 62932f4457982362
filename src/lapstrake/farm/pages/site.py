"""What is behind the pages, and how each answers: templates, who may see it, what went wrong."""

from __future__ import annotations

import functools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup, escape
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from lapstrake import __version__
from lapstrake.config.model import Config
from lapstrake.farm.access.gate import PROGRAMS
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.pages.ansi import line_spans
from lapstrake.farm.pages.lines import LineIndexes
from lapstrake.farm.problems import (
    MEDIA_TYPE,
    Invalid,
    NoRoom,
    NotAllowed,
    Problem,
    TooLarge,
    Unknown,
)
from lapstrake.farm.values.scopes import Scope
from lapstrake.formats.amounts import size_text
from lapstrake.host.files import DISK_FULL
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.pages.page import TEMPLATES as SHARED
from lapstrake.web import pages

FOLDER = Path(__file__).parent
_FIELDS = 40
_FIELD_BYTES = 1 << 16
_LONGEST_FIELD = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Everything behind the pages.

    Attributes:
        desk: knows and changes all states.
        contents: takes uploads.
        tokens: who may do what.
        demand: makes images when they are pulled; ``None`` when nothing does.
        indexes: where the lines of logs are.
    """

    desk: Desk
    contents: Contents
    tokens: Tokens
    demand: Demand | None = None
    indexes: LineIndexes = field(default_factory=LineIndexes)

    @property
    def config(self) -> Config:
        """The whole configuration, as it was last read."""
        return self.desk.config


Show = Callable[[Site, Request], Response]
Act = Callable[[Site, Request, FormData], Response]
Answer = Callable[[Request, Exception], Awaitable[Response]]


def shown(site: Site, path: str, show: Show, *, scope: Scope | None = Scope.READ) -> Route:
    """A page: `show` runs in a thread; what it raises is a page, too."""

    async def answer(request: Request) -> Response:
        if (refused := _refused(request, scope)) is not None:
            return refused
        return await run_in_threadpool(_guarded, lambda: show(site, request), request)

    return Route(path, answer, methods=["GET", "HEAD"])


def watched(route: Route) -> Route:
    """Another's route of events, for those who may look."""

    async def answer(request: Request) -> Response:
        refused = _refused(request, Scope.READ)
        response: Response = await route.endpoint(request) if refused is None else refused
        return response

    return Route(route.path, answer, methods=["GET"])


def acted(site: Site, path: str, act: Act, *, scope: Scope | None = Scope.SUBMIT) -> Route:
    """What a form does; afterwards the browser is sent to a page.

    The form carries the session's ``csrf``: no other site's form has it.
    """

    async def answer(request: Request) -> Response:
        if (refused := _refused(request, scope)) is not None:
            return refused
        try:
            check_size(request, site.config.farm.upload_limit + _FIELDS * _FIELD_BYTES)
            async with request.form(
                max_files=1, max_fields=_FIELDS, max_part_size=_FIELD_BYTES
            ) as form:
                _check_token(request, form)
                return await run_in_threadpool(_guarded, lambda: act(site, request, form), request)
        except Problem as problem:
            return problem_page(request, problem)
        except OSError as error:  # what is sent is put into a file first
            if error.errno not in DISK_FULL:
                raise
            full = NoRoom("there is no room for it", resolution="Tell whoever runs the farm.")
            return problem_page(request, full)

    return Route(path, answer, methods=["POST"])


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page, with what every page needs."""
    frame = {
        "version": __version__,
        "host": pages.host(request),
        "address": pages.address(request),
        "path": request.url.path,
        "viewer": viewer_of(request),
        "now": time.time(),
        "Scope": Scope,
    }
    text = _templates().get_template(template).render(**frame, **values)
    return HTMLResponse(text, status_code=status, headers=pages.HEADERS)


def problem_page(request: Request, problem: Problem) -> Response:
    """What went wrong: a page for people, a document (RFC 9457) for our scripts."""
    if "application/json" in request.headers.get("accept", ""):
        document = problem.document(request.url.path)
        return JSONResponse(document, problem.status, media_type=MEDIA_TYPE)
    return page(request, "problem.html", status=problem.status, problem=problem)


async def no_such_page(request: Request, failed: Exception, answer: Answer) -> Response:
    """What people get for an address that is none: a page; programs get their document.

    Args:
        request: asks for it.
        failed: what the framework says.
        answer: writes the document.
    """
    path = request.url.path
    if PROGRAMS.match(path) or "text/html" not in request.headers.get("accept", ""):
        return await answer(request, failed)
    problem = Unknown(f"there is no page {path}", resolution="Go on from one of the lists above.")
    return page(request, "problem.html", status=problem.status, problem=problem)


def moved(request: Request, path: str) -> Response:
    """After a form: to a page; our scripts are told where."""
    if "application/json" in request.headers.get("accept", ""):
        return JSONResponse({"location": path})
    return RedirectResponse(path, status_code=303)


def number(request: Request, name: str = "id") -> int:
    """A number in the page's path.

    Raises:
        Unknown: it is none.
    """
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Unknown(f"there is no {request.url.path}", resolution="Look at the lists.")
    return int(text)


def asked_number(request: Request, name: str, default: int) -> int:
    """A number in the query; what is none counts as not said."""
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else default


def form_text(form: FormData, name: str) -> str:
    """A form's field without the blanks around it, and not longer than anything may be."""
    value = form.get(name)
    return value.strip()[:_LONGEST_FIELD] if isinstance(value, str) else ""


def check_size(request: Request, limit: int) -> None:
    """Refuse a form before it is read when it says that it is too large, or does not say.

    Raises:
        TooLarge, Invalid: it is, or it does not.
    """
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdigit()):
        raise Invalid("the form does not say its size", resolution="Send a Content-Length.")
    if int(text) > limit:
        raise TooLarge(
            f"an upload may have {size_text(limit)}",
            resolution="Send less, or raise farm.upload_limit on the server.",
        )


def _refused(request: Request, scope: Scope | None) -> Response | None:
    """The way to the door of who may not see this; ``None`` for those who may."""
    viewer = viewer_of(request)
    if scope is None or viewer.may(scope):
        return None
    if viewer.name:
        return problem_page(
            request,
            NotAllowed(f"{viewer.name} may not do this", resolution="Sign in with another token."),
        )
    asked = request.url.path if request.method != "POST" else "/"
    query = f"?{request.url.query}" if request.url.query and request.method != "POST" else ""
    return RedirectResponse(f"/login?next={quote(asked + query)}", status_code=303)


def _check_token(request: Request, form: FormData) -> None:
    expected, given = viewer_of(request).csrf, form.get("csrf")
    if not secrets.compare_digest(expected.encode(), str(given or "").encode()) and expected:
        raise NotAllowed(
            "this form was not made by this page", resolution="Load the page again and repeat it."
        )


def _guarded(answer: Callable[[], Response], request: Request) -> Response:
    try:
        return answer()
    except Problem as problem:
        return problem_page(request, problem)


def prose(text: str) -> Markup:
    """A sentence whose `commands` stand out, as they do in a terminal."""
    pieces = [str(escape(piece)) for piece in text.split("`")]
    if len(pieces) % 2 == 0:  # a mark without its fellow is a mark
        return escape(text)
    return Markup("".join(f"<code>{p}</code>" if n % 2 else p for n, p in enumerate(pieces)))  # noqa: S704 - each piece is escaped


@functools.cache
def _templates() -> Environment:
    environment = pages.templates(FOLDER / "templates", SHARED)
    environment.filters["spans"] = line_spans
    environment.filters["prose"] = prose
    return environment
