"""The pages of images: one that was made, one that is being made with its log, what failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.demand.jobs import State
from lapstrake.registry.demand.records import Record
from lapstrake.registry.names import repository_name, tag_name
from lapstrake.registry.pages.events import job_number
from lapstrake.registry.pages.views import WIDTH, image_views
from lapstrake.registry.problems import Problem

_LOG_SHOWN = 1 << 18

Page = Callable[..., Response]
"""Writes a page: of a request, a template's name, and values; ``status`` is the answer's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePages:
    """They look the same wherever they are shown, within the frame of whoever shows them.

    Attributes:
        demand: what makes images.
        page: writes a page with that frame.
    """

    demand: Demand
    page: Page

    def work(self) -> Mapping[str, object]:
        """What ``making.html`` shows: images that are being made, and what failed lately."""
        jobs = self.demand.workshop.jobs
        return {
            "alive": jobs.alive(),
            "running": State.RUNNING,
            "failures": [job for job in jobs.all() if job.state is State.FAILED],
        }

    def one_image(self, request: Request) -> Response:
        """``NAME:TAG``: its layers, packages and documents."""
        title = request.path_params["title"]
        record = self._record(title)
        if record is None:
            return self.page(request, "unknown.html", status=404, what=title, is_image=True)
        views = image_views(self.demand.blobs, record, documents=True)
        return self.page(request, "image.html", width=WIDTH, record=record, views=views)

    def one_work(self, request: Request) -> Response:
        """The making of an image, with the end of its log."""
        jobs = self.demand.workshop.jobs
        job = jobs.find(job_number(request))
        if job is None:
            return self._unknown_work(request)
        size = jobs.log_size(job.number)
        return self.page(
            request,
            "work.html",
            width=WIDTH,
            job=job,
            log=jobs.read_log(job.number, start=max(size - _LOG_SHOWN, 0)),
            read=size,
            cut=size > _LOG_SHOWN,
            before=jobs.position(job.number),
        )

    def one_log(self, request: Request) -> Response:
        """All of its log, as text."""
        jobs, number = self.demand.workshop.jobs, job_number(request)
        if jobs.find(number) is None:
            return self._unknown_work(request)
        return PlainTextResponse(jobs.read_log(number))

    def _record(self, title: str) -> Record | None:
        name, _, tag = title.rpartition(":")
        try:
            return self.demand.records.find(repository_name(name), tag_name(tag))
        except Problem:  # it can be no name
            return None

    def _unknown_work(self, request: Request) -> Response:
        what = f"Work {request.path_params['number']}"
        return self.page(request, "unknown.html", status=404, what=what, is_image=False)
