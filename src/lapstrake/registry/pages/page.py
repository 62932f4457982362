"""The pages' templates, and how they write sizes and times."""

from __future__ import annotations

import functools
import time
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from lapstrake import __version__

FOLDER = Path(__file__).parent
STATIC = FOLDER / "static"

_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
_UNITS = ("B", "kB", "MB", "GB", "TB")
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


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


def size_text(size: float) -> str:
    """Bytes as registries and package managers show them: decimal.

    >>> size_text(61_234_000), size_text(999)
    ('61.2 MB', '999 B')
    """
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size /= 1000
        unit += 1
    return (
        f"{size:.0f} {_UNITS[unit]}" if unit == 0 or size >= 99.95 else f"{size:.1f} {_UNITS[unit]}"
    )


def seconds_text(seconds: float) -> str:
    """A duration, rounded.

    >>> seconds_text(4.25), seconds_text(90), seconds_text(7300)
    ('4.2 s', '1 min 30 s', '2 h 1 min')
    """
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    rest, parts = int(seconds), []
    for length, unit in _AGES:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def age_text(moment: float) -> str:
    """How long ago a moment was, in one unit; ``now`` within a few seconds."""
    seconds = time.time() - moment
    if seconds < 10:
        return "now"
    return f"{' '.join(seconds_text(seconds).split()[:2])} ago"


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
    environment.filters.update(size=size_text, seconds=seconds_text, age=age_text, stamp=stamp_text)
    return environment
