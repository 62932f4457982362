"""``/`` and ``/queue``: how the farm stands, and why things wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.model.states import ENDED
from lapstrake.farm.monitor.overview import in_turn
from lapstrake.farm.pages.site import Site, page, shown
from lapstrake.farm.values.tasks import Task, TaskFilter, TaskState, Wait

_RUNNING = (TaskState.FETCHING, TaskState.BUILDING, TaskState.PUBLISHING)
_SHOWN = 12
_QUEUE = 50
_HELD = 20
_EXPLAINED = 8


def overview_routes(site: Site) -> list[BaseRoute]:
    """The routes of the overview and the queue."""
    return [shown(site, "/", _start), shown(site, "/queue", _queue)]


def _start(site: Site, request: Request) -> Response:
    return page(
        request,
        "start.html",
        counts=site.desk.counts(),
        states=tuple(TaskState),
        running=_some(site, _RUNNING, _SHOWN),
        ended=_some(site, tuple(ENDED), _SHOWN),
        workers=site.desk.workers(),
    )


def _queue(site: Site, request: Request) -> Response:
    queued = in_turn(site.desk.database, _QUEUE)
    held = _some(site, (TaskState.WAITING, TaskState.NEW), _HELD)
    return page(
        request,
        "queue.html",
        queued=queued,
        reasons=_reasons(site, queued),
        held=held,
        counts=site.desk.counts(),
        running=_some(site, _RUNNING, _HELD),
    )


def _reasons(site: Site, queued: Sequence[Task]) -> Mapping[int, Sequence[Wait]]:
    """Why the first task for each kind of machine waits; those behind it wait for their turn."""
    first = {(task.spec.arch, task.spec.requires): task.id for task in reversed(queued)}
    return {id: site.desk.why(id) for id in sorted(first.values())[:_EXPLAINED]}


def _some(site: Site, states: tuple[TaskState, ...], limit: int) -> Sequence[Task]:
    return site.desk.tasks(TaskFilter(states=states), limit=limit).items
