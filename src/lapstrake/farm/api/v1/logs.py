"""Logs of tasks: whole, in part, and as they grow."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from lapstrake.farm.api.live.logs import Look, look
from lapstrake.farm.api.requests import LARGEST, Id
from lapstrake.farm.api.state import StateOf, StreamsOf
from lapstrake.farm.problems import Unknown
from lapstrake.web.events import event_stream, last_id
from lapstrake.web.sending import answer_file

router = APIRouter(prefix="/api/v1/tasks", tags=["logs"])

Wanted = Annotated[int, Query(alias="attempt", ge=0, le=LARGEST, description="0 for the newest")]
_TEXT = {"text/plain": {"schema": {"type": "string"}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The log", "content": _TEXT},
    206: {"description": "A part of it", "content": _TEXT},
    304: {"description": "The client has it"},
    416: {"description": "It has no such part"},
}
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events `attempt`, `lines`, `end`; ids are bytes of the attempt's log.",
        "content": {"text/event-stream": {}},
    }
}


@router.head("/{id}/log", include_in_schema=False)
@router.get("/{id}/log", response_class=Response, responses=_ANSWERS)
def log(state: StateOf, request: Request, id: Id, wanted: Wanted = 0) -> Response:
    """The log of an attempt, as far as it is; `Range` and `If-None-Match` hold.

    The header `Log-Attempt` says whose it is (0: nobody has begun), `Log-Complete` whether more
    may come.
    """
    seen = look(state.desk, id)
    number = _number(seen, id, wanted)
    headers = {
        "Content-Type": "text/plain; charset=utf-8",
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-cache",
        "Log-Attempt": str(number),
        "Log-Complete": "true" if number in seen.over else "false",
    }
    path = state.desk.log_path(id, number)
    try:
        headers["ETag"] = f'"{id}-{number}-{path.stat().st_size}"'
        return answer_file(request, path, headers)
    except FileNotFoundError:
        return Response(headers=headers)


@router.get("/{id}/log/events", response_class=Response, responses=_EVENTS)
async def log_events(
    state: StateOf,
    streams: StreamsOf,
    id: Id,
    wanted: Wanted = 0,
    offset: Annotated[int, Query(ge=0, le=LARGEST)] = 0,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> Response:
    """The log as it grows, and the attempts that follow, until the task has ended.

    Who comes back names the attempt, and the last event's id in `Last-Event-ID` (or `offset`).
    """
    seen = await run_in_threadpool(look, state.desk, id)
    number = _number(seen, id, wanted) if wanted else 0
    known = last_id(last_event_id)
    return event_stream(streams.logs.follow(id, number, offset if known is None else known))


def _number(seen: Look, task: int, wanted: int) -> int:
    """The attempt that is meant.

    Raises:
        Unknown: there is none of that number.
    """
    if wanted and wanted not in seen.attempts:
        raise Unknown(
            f"task {task} has no attempt {wanted}", resolution="See its list of attempts."
        )
    return wanted or (seen.attempts[-1] if seen.attempts else 0)
