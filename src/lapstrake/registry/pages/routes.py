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
from lapstrake.registry.demand.jobs import State
from lapstrake.registry.demand.records import Record
from lapstrake.registry.names import repository_name, tag_name
from lapstrake.registry.pages.artifacts import published
from lapstrake.registry.pages.events import event_routes, job_number
from lapstrake.registry.pages.metrics import metrics_text
from lapstrake.registry.pages.page import STATIC, page
from lapstrake.registry.pages.views import WIDTH, image_views
from lapstrake.registry.problems import Problem

_MADE_SHOWN = 12
_LOG_SHOWN = 1 << 18

Shown = Callable[[Demand, Request], Response]


def page_routes(demand: Demand) -> list[BaseRoute]:
    """The routes of all pages."""

    def shown(path: str, show: Shown) -> Route:
        async def answer(request: Request) -> Response:
            return await run_in_threadpool(show, demand, request)

        return Route(path, answer, methods=["GET", "HEAD"])

    return [
        shown("/", _start),
        shown("/images/{title:path}", _image),
        *event_routes(demand),
        shown("/jobs/{number}", _work),
        shown("/jobs/{number}/log", _log),
        shown("/metrics", lambda demand, _request: PlainTextResponse(metrics_text(demand))),
        Mount("/static", StaticFiles(directory=STATIC, packages=[("lapstrake.web", "static")])),
    ]


def _start(demand: Demand, request: Request) -> Response:
    records = sorted(demand.records.all(), key=lambda record: record.made, reverse=True)
    jobs = demand.workshop.jobs.all()
    return page(
        request,
        "start.html",
        width=WIDTH,
        branches=_branches(demand),
        latest=demand.place.config.registry.branch,
        made=[(record, image_views(demand.blobs, record)) for record in records[:_MADE_SHOWN]],
        more=max(len(records) - _MADE_SHOWN, 0),
        alive=demand.workshop.jobs.alive(),
        running=State.RUNNING,
        failures=[job for job in jobs if job.state is State.FAILED],
    )


def _image(demand: Demand, request: Request) -> Response:
    title = request.path_params["title"]
    record = _record(demand, title)
    if record is None:
        return page(request, "unknown.html", status=404, what=title, is_image=True)
    return page(
        request,
        "image.html",
        width=WIDTH,
        record=record,
        views=image_views(demand.blobs, record, documents=True),
    )


def _record(demand: Demand, title: str) -> Record | None:
    name, _, tag = title.rpartition(":")
    try:
        return demand.records.find(repository_name(name), tag_name(tag))
    except Problem:  # it can be no name
        return None


def _work(demand: Demand, request: Request) -> Response:
    jobs = demand.workshop.jobs
    job = jobs.find(job_number(request))
    if job is None:
        return _unknown_work(request)
    size = jobs.log_size(job.number)
    log = jobs.read_log(job.number, start=max(size - _LOG_SHOWN, 0))
    return page(
        request,
        "work.html",
        width=WIDTH,
        job=job,
        log=log,
        read=size,
        cut=size > _LOG_SHOWN,
        before=jobs.position(job.number),
    )


def _log(demand: Demand, request: Request) -> Response:
    jobs, number = demand.workshop.jobs, job_number(request)
    if jobs.find(number) is None:
        return _unknown_work(request)
    return PlainTextResponse(jobs.read_log(number))


def _unknown_work(request: Request) -> Response:
    what = f"Work {request.path_params['number']}"
    return page(request, "unknown.html", status=404, what=what, is_image=False)


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
