"""What workers tell of the tasks that they have; refused (409) once a task is not theirs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from lapstrake.farm.api.requests import LARGEST, Id, Word
from lapstrake.farm.api.state import StateOf, ViewerOf
from lapstrake.farm.api.worker_requests import ResultBody, SampleBody, Short, Small
from lapstrake.farm.problems import TooLarge
from lapstrake.farm.values.attempts import Job
from lapstrake.farm.values.tasks import Task, TaskState

router = APIRouter(prefix="/api/v1/tasks", tags=["workers"], include_in_schema=False)

_LARGEST_PIECE = 4 << 20
"""Bytes of a log that come at a time."""
_MOST_SAMPLES = 5000


class ClaimBody(BaseModel):
    """Who takes a task."""

    round: Small
    worker: Short
    incarnation: Word
    executor: Short


class StateBody(BaseModel):
    """How far an attempt is."""

    state: Literal[TaskState.FETCHING, TaskState.BUILDING]


class LogSize(BaseModel):
    """Bytes of a log so far."""

    size: int


def check_holder(state: StateOf, viewer: ViewerOf, id: Id, number: Id) -> None:
    """Refuse whoever has not claimed the attempt."""
    state.desk.check_attempt(id, number, viewer.name)


_HELD = [Depends(check_holder)]


@router.post("/{id}/claim", status_code=201)
def claim(state: StateOf, viewer: ViewerOf, id: Id, body: ClaimBody) -> Job:
    """Take a task that the engine has given to a slot."""
    state.desk.check_worker(body.worker, viewer.name)
    return state.desk.claim(id, body.round, body.worker, body.incarnation, body.executor)


@router.put("/{id}/attempts/{number}/state", dependencies=_HELD)
def set_state(state: StateOf, id: Id, number: Id, body: StateBody) -> dict[str, str]:
    """Tell how far it is."""
    state.desk.set_state(id, number, body.state)
    return {"state": body.state}


@router.patch("/{id}/attempts/{number}/log", dependencies=_HELD)
async def append_log(
    state: StateOf,
    request: Request,
    id: Id,
    number: Id,
    offset: Annotated[int, Query(ge=0, le=LARGEST)],
) -> LogSize:
    """Add to its log."""
    piece = bytearray()
    async for part in request.stream():
        piece += part
        if len(piece) > _LARGEST_PIECE:
            raise TooLarge(f"{_LARGEST_PIECE} bytes of a log at a time", resolution="Send less.")
    size = await run_in_threadpool(state.desk.append_log, id, number, offset, bytes(piece))
    return LogSize(size=size)


@router.post("/{id}/attempts/{number}/samples", status_code=204, dependencies=_HELD)
def add_samples(
    state: StateOf,
    id: Id,
    number: Id,
    body: Annotated[list[SampleBody], Field(max_length=_MOST_SAMPLES)],
) -> None:
    """Tell what it uses."""
    state.desk.add_samples(id, number, [each.value() for each in body])


@router.post("/{id}/attempts/{number}/result", dependencies=_HELD)
def finish(state: StateOf, id: Id, number: Id, body: ResultBody) -> Task:
    """Tell how it ended."""
    return state.desk.finish(id, number, body.value())
