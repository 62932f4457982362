"""``/history``: how much was built when, how long it took, and what ended."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.monitor.overview import Throughput, durations, throughput
from lapstrake.farm.pages.lists import SHOWN, query_of
from lapstrake.farm.pages.plots import BOX, Plot, moments_plot
from lapstrake.farm.pages.site import Site, page, shown
from lapstrake.farm.tables.database import Database
from lapstrake.farm.values.tasks import TaskState
from lapstrake.formats.amounts import duration_text
from lapstrake.web.pages import stamp_text

_HOUR = 3600
_SPANS = {"day": (24, _HOUR), "week": (28, 6 * _HOUR), "month": (30, 24 * _HOUR)}
"""Word of the address → how many stretches, and seconds of one."""
_KINDS = (TaskState.SUCCESS, TaskState.FAILED, TaskState.ERROR)
_FIELDS = ("name", "branch", "worker", "span")
_CURVE = 200
_TOO_FEW = 2
_OLD = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a column: what ended in one way."""

    kind: str
    top: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What ended in one stretch of time; heights are parts of 100."""

    begin: float
    left: int
    parts: tuple[Part, ...]
    text: str


def history_routes(site: Site) -> list[BaseRoute]:
    """The route of the history."""
    return [shown(site, "/history", _history)]


def columns(rows: Sequence[Throughput], *, since: float, step: int, count: int) -> list[Column]:
    """Stack what ended in each stretch, the tallest column being 100 high."""
    by_place: dict[int, dict[str, Throughput]] = {place: {} for place in range(count)}
    for row in rows:
        place = min(max(round((row.begin - since) / step), 0), count - 1)
        by_place[place][row.state] = row
    tallest = max(
        (sum(row.tasks for row in each.values()) for each in by_place.values()), default=0
    )
    return [
        Column(
            begin=since + place * step,
            left=place * 10,
            parts=_parts(each, max(tallest, 1)),
            text=_text(since + place * step, each),
        )
        for place, each in by_place.items()
    ]


def _parts(each: dict[str, Throughput], tallest: int) -> tuple[Part, ...]:
    parts, top = [], 100.0
    for kind in _KINDS:
        if kind in each:
            height = each[kind].tasks / tallest * 100
            top -= height
            parts.append(Part(kind=kind, top=round(top, 2), height=round(height, 2)))
    return tuple(parts)


def _text(begin: float, each: dict[str, Throughput]) -> str:
    said = [
        f"{row.tasks} {kind} ({duration_text(row.seconds)} on average)"
        for kind, row in each.items()
    ]
    return f"from {stamp_text(begin)}: {', '.join(said) or 'nothing'}"


def durations_plot(ended: Sequence[tuple[float, float]]) -> Plot | None:
    """How long tasks took, over time; ``None`` for too few of them."""
    if len(ended) <= _TOO_FEW:
        return None
    return moments_plot("Durations", "from start to end", list(reversed(ended)), duration_text)


@lru_cache(maxsize=len(_SPANS))
def _throughput(
    database: Database,
    since: float,
    step: int,
    age: int,  # noqa: ARG001 - it changes when what is kept is too old
) -> Sequence[Throughput]:
    """It looks at every task of the time: once in a while is enough."""
    return throughput(database, since=since, step=step)


def _history(site: Site, request: Request) -> Response:
    query = query_of(request, _FIELDS)
    count, step = _SPANS.get(query.fields["span"], _SPANS["day"])
    now = site.desk.clock()
    since = (math.floor(now / step) - count + 1) * float(step)
    rows = _throughput(site.desk.database, since, step, int(now / _OLD))
    name, branch, worker = (query.fields[field] for field in _FIELDS[:3])
    narrowed = partial(site.desk.history, name=name, branch=branch, worker=worker)
    curve = partial(durations, site.desk.database, name=name, branch=branch, worker=worker)
    return page(
        request,
        "history.html",
        listed=narrowed(after=query.after, limit=SHOWN),
        query=query,
        spans=tuple(_SPANS),
        columns=columns(rows, since=since, step=step, count=count),
        totals={kind: sum(row.tasks for row in rows if row.state == kind) for kind in _KINDS},
        durations=durations_plot(curve(since=since, limit=_CURVE)),
        box=BOX,
    )
