"""What all pages share: how templates are read, how sizes and times are written, what is allowed.

Nothing in a page is inline: scripts and styles come from files of our own origin, which is what
the policy in `HEADERS` says to browsers (W3C, Content Security Policy level 3).
"""

from __future__ import annotations

import time
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request

from lapstrake.formats.amounts import age_text, duration_text, size_text

_POLICY = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
)

HEADERS = {
    "Content-Security-Policy": "; ".join(_POLICY),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""What every page is sent with."""


def templates(*folders: Path) -> Environment:
    """The templates of folders, the first one's first.

    All is escaped; a name that is not there is an error.
    """
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        size=size_text, seconds=duration_text, age=age_text, stamp=stamp_text
    )
    return environment


def host(request: Request) -> str:
    """What the client calls this server: ``HOST:PORT``."""
    return request.headers.get("host") or request.url.netloc


def address(request: Request) -> str:
    """The same with the scheme: ``http://HOST:PORT``."""
    return f"{request.url.scheme}://{host(request)}"


def stamp_text(moment: float) -> str:
    """A moment in UTC, as HTML's ``datetime`` wants it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))
