"""``/tasks`` and ``/tasks/ID``: the list, one task, and the buttons of it."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from lapstrake.farm.access.viewer import viewer_of
from lapstrake.farm.model.states import ENDED, RETRIED
from lapstrake.farm.pages.lists import SHOWN, query_of, task_filter
from lapstrake.farm.pages.logs import log_view
from lapstrake.farm.pages.making import pull_name
from lapstrake.farm.pages.plots import BOX, resource_plots
from lapstrake.farm.pages.site import Site, acted, asked_number, moved, number, page, shown
from lapstrake.farm.problems import Invalid, Unknown
from lapstrake.farm.values.attempts import Attempt
from lapstrake.farm.values.tasks import Task, TaskState

_HISTORY = 30


def task_routes(site: Site) -> list[BaseRoute]:
    """The routes of tasks."""
    return [
        shown(site, "/tasks", _tasks),
        shown(site, "/tasks/{id}", _task),
        acted(site, "/tasks/{id}/cancel", _cancel),
        acted(site, "/tasks/{id}/retry", _retry),
        acted(site, "/tasks/{id}/priority", _priority),
    ]


def chosen_attempt(attempts: Sequence[Attempt], task: int, wanted: int) -> Attempt | None:
    """An attempt by its number, 0 for the newest; ``None`` when nothing was tried yet.

    Raises:
        Unknown: there was no such attempt.
    """
    if not wanted:
        return attempts[-1] if attempts else None
    for attempt in attempts:
        if attempt.number == wanted:
            return attempt
    raise Unknown(
        f"task {task} has no attempt {wanted}", resolution=f"It has {len(attempts)} of them."
    )


def _tasks(site: Site, request: Request) -> Response:
    query = query_of(request)
    listed = site.desk.tasks(task_filter(query), after=query.after, limit=SHOWN)
    return page(request, "tasks.html", listed=listed, query=query, states=tuple(TaskState))


def _task(site: Site, request: Request) -> Response:
    task = site.desk.task(number(request))
    attempts = site.desk.attempts(task.id)
    attempt = chosen_attempt(attempts, task.id, asked_number(request, "attempt", 0))
    samples = site.desk.samples(task.id, attempt.number) if attempt else ()
    over = task.state in ENDED
    return page(
        request,
        "task.html",
        task=task,
        over=over,
        attempts=attempts,
        attempt=attempt,
        waits=() if over else site.desk.why(task.id),
        plots=resource_plots(samples, memory_limit=task.spec.memory),
        samples=samples,
        box=BOX,
        events=site.desk.events(task=task.id, limit=_HISTORY).items,
        log=log_view(site, request, task, attempt) if attempt else None,
        forecast=None if over else site.desk.forecast(task.id),
        may_cancel=not over,
        may_retry=task.state in RETRIED,
        pulled=_pulled(site, task),
    )


def _pulled(site: Site, task: Task) -> str:
    """How an image with the first package that a task published is called; empty for none."""
    names = (output.name for output in task.outputs if output.published)
    for name in names:
        package, _, rest = name.removesuffix(".deb").partition("_")
        if name.endswith(".deb") and rest:
            return pull_name(site, package, rest.rpartition("_")[2], task.spec.branch)
    return ""


def _cancel(site: Site, request: Request, form: FormData) -> Response:
    reason = str(form.get("reason") or "")[:_LONGEST_REASON]
    task = site.desk.cancel(number(request), reason=reason, by=viewer_of(request).name)
    return moved(request, f"/tasks/{task.id}")


_LONGEST_REASON = 500


def _retry(site: Site, request: Request, form: FormData) -> Response:  # noqa: ARG001 - a form's
    task = site.desk.retry(number(request), by=viewer_of(request).name)
    return moved(request, f"/tasks/{task.id}")


def _priority(site: Site, request: Request, form: FormData) -> Response:
    task = site.desk.set_priority(number(request), priority_of(form))
    return moved(request, f"/tasks/{task.id}")


def priority_of(form: FormData) -> int:
    """The priority that a form asks for; 0 when it says none.

    Raises:
        Invalid: it is no number from -100 to 100.
    """
    text = str(form.get("priority") or "0").strip()
    try:
        priority = int(text[:8])
    except ValueError:
        priority = 101
    if not -100 <= priority <= 100:
        raise Invalid(
            f"{text[:20]!r} is no priority", resolution="It is a number from -100 to 100."
        )
    return priority
