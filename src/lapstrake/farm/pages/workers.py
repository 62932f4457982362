"""``/workers`` and ``/workers/NAME``: the machines that build, and what they do."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.pages.site import Site, acted, moved, page, shown
from lapstrake.farm.values.scopes import Scope
from lapstrake.farm.values.tasks import TaskFilter

SKEW = 5.0
"""Seconds of a clock's difference that are worth a warning."""
_SHOWN = 20


def worker_routes(site: Site) -> list[BaseRoute]:
    """The routes of workers."""
    return [
        shown(site, "/workers", _workers),
        shown(site, "/workers/{name}", _worker),
        acted(site, "/workers/{name}/drain", _drain, scope=Scope.ADMIN),
        acted(site, "/workers/{name}/resume", _resume, scope=Scope.ADMIN),
        acted(site, "/workers/{name}/forget", _forget, scope=Scope.ADMIN),
    ]


def _workers(site: Site, request: Request) -> Response:
    return page(request, "workers.html", workers=site.desk.workers(), skew=SKEW)


def _worker(site: Site, request: Request) -> Response:
    worker = site.desk.worker(request.path_params["name"])
    done = site.desk.tasks(TaskFilter(worker=worker.facts.name), limit=_SHOWN)
    return page(request, "worker.html", worker=worker, skew=SKEW, listed=done)


def _drain(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    site.desk.drain(request.path_params["name"], True)
    return moved(request, "/workers")


def _resume(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    site.desk.drain(request.path_params["name"], False)
    return moved(request, "/workers")


def _forget(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    site.desk.forget(request.path_params["name"])
    return moved(request, "/workers")
