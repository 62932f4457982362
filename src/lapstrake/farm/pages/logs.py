"""Logs in pages: a window of lines, any line by its number, and what is searched for."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from lapstrake.farm.pages.ansi import plain
from lapstrake.farm.pages.lines import Hits, Window, search
from lapstrake.farm.pages.site import Site, asked_number, number, page, shown
from lapstrake.farm.problems import Unknown
from lapstrake.farm.values.attempts import Attempt
from lapstrake.farm.values.tasks import Task

WINDOW = 500
"""Lines of a window."""
_BEFORE = 50
_MOST = 2000
_HITS = 1000
_HITS_SHOWN = 100
_LONGEST = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LogView:
    """What a page shows of a log.

    Attributes:
        window: the lines.
        attempt: whose log it is.
        over: nothing more comes.
        line: the line that was asked for, 0 for none.
        wanted: what is searched for.
        hits: where it is; ``None`` when nothing is searched for.
    """

    window: Window
    attempt: int
    over: bool
    line: int
    wanted: str
    hits: Hits | None


def log_routes(site: Site) -> list[BaseRoute]:
    """The routes of what the log's script asks for."""
    return [
        shown(site, "/tasks/{id}/log/lines", _lines),
        shown(site, "/tasks/{id}/log/hits", _hits),
    ]


def log_view(site: Site, request: Request, task: Task, attempt: Attempt) -> LogView:
    """The window that an address asks for; else the newest lines."""
    line = asked_number(request, "line", 0)
    wanted = request.query_params.get("q", "")[:_LONGEST]
    first = max(line - _BEFORE, 1) if line else -WINDOW
    over = bool(attempt.finished)
    return LogView(
        window=_window(site, task.id, attempt.number, first, WINDOW, over=over),
        attempt=attempt.number,
        over=over,
        line=line,
        wanted=wanted,
        hits=_search(site, task.id, attempt.number, wanted, _HITS_SHOWN) if wanted else None,
    )


def _lines(site: Site, request: Request) -> Response:
    """Rows from one line on, as they stand in the page."""
    task, attempt = number(request), asked_number(request, "attempt", 0)
    first = max(asked_number(request, "from", 1), 1)
    count = min(max(asked_number(request, "count", WINDOW), 1), _MOST)
    over = any(each.finished for each in site.desk.attempts(task) if each.number == attempt)
    window = _window(site, task, attempt, first, count, over=over)
    return page(request, "lines.html", window=window, attempt=attempt)


def _hits(site: Site, request: Request) -> Response:
    """The numbers of the lines that have a text, as JSON."""
    wanted = request.query_params.get("q", "")[:_LONGEST]
    if not wanted:
        return JSONResponse({"lines": [], "whole": True})
    site.desk.task(number(request))
    hits = _search(site, number(request), asked_number(request, "attempt", 0), wanted, _HITS)
    return JSONResponse({"lines": [line for line, _ in hits.lines], "whole": hits.whole})


def _window(site: Site, task: int, attempt: int, first: int, count: int, *, over: bool) -> Window:
    """An attempt that wrote nothing has a log of no lines."""
    try:
        path = site.desk.log_path(task, attempt)
        return site.indexes.of(path).window(first, count, over=over)
    except FileNotFoundError:
        return Window(first=1, lines=(), total=0, end=0)


def _search(site: Site, task: int, attempt: int, wanted: str, most: int) -> Hits:
    try:
        found = search(site.desk.log_path(task, attempt), wanted, most=most)
    except (FileNotFoundError, Unknown):
        return Hits(lines=(), whole=True)
    return Hits(lines=tuple((line, plain(text)) for line, text in found.lines), whole=found.whole)
