"""``/api/v1/tasks``: submit, look, cancel, build again, fetch what came of it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Body
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from lapstrake.farm.api.listing import After, Limit, ListedTasks
from lapstrake.farm.api.requests import (
    BatchBody,
    Id,
    Key,
    PriorityBody,
    ReasonBody,
    RetryBody,
    TaskBody,
)
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.api.transfer import ANY_FILE
from lapstrake.farm.problems import Unknown
from lapstrake.farm.values.attempts import Attempt, Peaks, ResourceSample
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import OutputFile, Task, Wait
from lapstrake.web.sending import FileAnswer, is_current

router = APIRouter(prefix="/api/v1/tasks", tags=["tasks"])


class Limits(BaseModel):
    """What the task itself was allowed; 0 for the worker's own limits."""

    seconds: float
    memory: int


class Resources(BaseModel):
    """What an attempt used, and might have used."""

    attempt: int
    samples: list[ResourceSample]
    peaks: Peaks
    limits: Limits


@router.post("", status_code=201)
def submit(state: StateOf, viewer: ViewerOf, body: TaskBody, key: Key = "") -> Task:
    """Make a task and start it."""
    return state.desk.submit(body.spec.value(), viewer.name, priority=body.priority, key=key)


@router.post("/batch", status_code=201)
def submit_batch(state: StateOf, viewer: ViewerOf, body: BatchBody, key: Key = "") -> list[Task]:
    """Make up to 1,000 tasks and start them: all, or none of them."""
    specs = [each.spec.value() for each in body.tasks]
    priorities = [each.priority for each in body.tasks]
    return list(state.desk.submit_many(specs, viewer.name, priority=priorities, key=key))


@router.get("")
def list_tasks(listed: ListedTasks) -> Page[Task]:
    """Tasks, newest first."""
    return listed


@router.get("/{id}")
def task(state: StateOf, id: Id) -> Task:
    """One task."""
    return state.desk.task(id)


@router.get("/{id}/attempts")
def attempts(state: StateOf, id: Id) -> list[Attempt]:
    """Who tried to build it, oldest first."""
    return list(state.desk.attempts(id))


@router.get("/{id}/why")
def why(state: StateOf, id: Id) -> list[Wait]:
    """What it waits for, and what would end that."""
    return list(state.desk.why(id))


@router.get("/{id}/events")
def events(state: StateOf, id: Id, after: After = "", limit: Limit = 50) -> Page[Event]:
    """What happened to it, oldest first."""
    state.desk.task(id)
    return state.desk.events(after=after, task=id, limit=limit)


@router.post("/{id}/cancel")
def cancel(
    state: StateOf,
    viewer: ViewerOf,
    id: Id,
    body: Annotated[ReasonBody | None, Body()] = None,
    key: Key = "",
) -> Task:
    """Give it up; a running build is killed."""
    return state.desk.cancel(id, reason=body.reason if body else "", by=viewer.name, key=key)


@router.post("/{id}/retry")
def retry(
    state: StateOf, viewer: ViewerOf, id: Id, body: RetryBody | None = None, key: Key = ""
) -> Task:
    """Build it once more, after it has ended without success."""
    keep = body is not None and body.keep_failed
    return state.desk.retry(id, by=viewer.name, key=key, keep_failed=keep)


@router.put("/{id}/priority")
def set_priority(state: StateOf, id: Id, body: PriorityBody) -> Task:
    """Make it more or less urgent."""
    return state.desk.set_priority(id, body.priority)


@router.get("/{id}/resources")
def resources(state: StateOf, id: Id, attempt: Id | None = None) -> Resources:
    """What an attempt used; the newest one's when none is named."""
    task = state.desk.task(id)
    tried = {each.number: each for each in state.desk.attempts(id)}
    number = attempt or task.attempt
    if number and number not in tried:
        raise Unknown(f"task {id} has no attempt {number}", resolution="See its attempts.")
    return Resources(
        attempt=number,
        samples=list(state.desk.samples(id, number)) if number else [],
        peaks=tried[number].peaks if number else Peaks(),
        limits=Limits(seconds=task.spec.seconds, memory=task.spec.memory),
    )


@router.get("/{id}/artifacts")
def artifacts(state: StateOf, id: Id) -> list[OutputFile]:
    """The files that it made."""
    return list(state.desk.task(id).outputs)


@router.head("/{id}/artifacts/{name}", include_in_schema=False, response_class=Response)
@router.get("/{id}/artifacts/{name}", response_class=Response, responses=ANY_FILE)
def artifact(state: StateOf, request: Request, id: Id, name: str) -> Response:
    """One of them; `Range` and `If-None-Match` hold."""
    found = next((each for each in state.desk.task(id).outputs if each.name == name), None)
    if found is None:
        raise Unknown(f"task {id} made no {name}", resolution="See the list of its artifacts.")
    headers = {
        "ETag": f'"{found.digest}"',
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
    }
    if is_current(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    try:
        return FileAnswer(request, state.contents.path(found.digest), headers)
    except FileNotFoundError:
        raise Unknown(
            f"{name} is not kept any more", resolution="Build the task again to make it anew."
        ) from None
