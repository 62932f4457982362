"""The pages' templates, and how they write sizes and times."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from lapstrake import __version__
from lapstrake.formats.amounts import age_text, duration_text, size_text

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page, with what every page needs."""
    frame = {"version": __version__, "host": host(request), "address": address(request)}
    text = _templates().get_template(template).render(**frame, **values)
    return HTMLResponse(text, status_code=status, headers=_HEADERS)


def host(request: Request) -> str:
    """What the client calls this server: ``HOST:PORT``."""
    return request.headers.get("host") or request.url.netloc


def address(request: Request) -> str:
    """The same with the scheme: ``http://HOST:PORT``."""
    return f"{request.url.scheme}://{host(request)}"


def stamp_text(moment: float) -> str:
    """A moment in UTC, as HTML's ``datetime`` wants it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


@functools.cache
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        size=size_text, seconds=duration_text, age=age_text, stamp=stamp_text
    )
    return environment
