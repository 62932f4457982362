"""The registry's pages: their templates and what every one of them shows."""

from __future__ import annotations

import functools
from pathlib import Path

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse

from lapstrake import __version__
from lapstrake.web import pages
from lapstrake.web.pages import address, host

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"
TEMPLATES = FOLDER / "templates"


def page(request: Request, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page, with what every page needs."""
    frame = {"version": __version__, "host": host(request), "address": address(request)}
    text = _templates().get_template(template).render(**frame, **values)
    return HTMLResponse(text, status_code=status, headers=pages.HEADERS)


@functools.cache
def _templates() -> Environment:
    return pages.templates(TEMPLATES)
