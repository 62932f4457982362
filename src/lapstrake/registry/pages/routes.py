"""The pages: what can be pulled, what was made, what is being made, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from lapstrake.place.state import StateFiles
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.pages.artifacts import published
from lapstrake.registry.pages.events import event_routes
from lapstrake.registry.pages.images import ImagePages
from lapstrake.registry.pages.metrics import metrics_text
from lapstrake.registry.pages.page import STATIC, page
from lapstrake.registry.pages.views import WIDTH, image_views

_MADE_SHOWN = 12

Show = Callable[[Request], Response]


def page_routes(demand: Demand) -> list[BaseRoute]:
    """The routes of all pages."""
    images = ImagePages(demand=demand, page=page)
    return [
        _shown("/", lambda request: _start(images, request)),
        _shown("/images/{title:path}", images.one_image),
        *event_routes(demand),
        _shown("/jobs/{number}", images.one_work),
        _shown("/jobs/{number}/log", images.one_log),
        _shown("/metrics", lambda _request: PlainTextResponse(metrics_text(demand))),
        Mount("/static", StaticFiles(directory=STATIC, packages=[("lapstrake.web", "static")])),
    ]


def _shown(path: str, show: Show) -> Route:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(show, request)

    return Route(path, answer, methods=["GET", "HEAD"])


def _start(images: ImagePages, request: Request) -> Response:
    demand = images.demand
    records = sorted(demand.records.all(), key=lambda record: record.made, reverse=True)
    return page(
        request,
        "start.html",
        width=WIDTH,
        branches=_branches(demand),
        latest=demand.place.config.registry.branch,
        made=[(record, image_views(demand.blobs, record)) for record in records[:_MADE_SHOWN]],
        more=max(len(records) - _MADE_SHOWN, 0),
        work=images.work(),
    )


def _branches(demand: Demand) -> list[Mapping[str, object]]:
    """The branches, with what is known of each without looking anywhere else."""
    states, repositories = StateFiles(demand.place.private), published(demand.output)
    return [
        {
            "name": name.text,
            "state": states.branch(name),
            "published": name.text in repositories,
        }
        for name in sorted(demand.place.config.branches())
    ]
