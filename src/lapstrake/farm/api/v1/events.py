"""``/api/v1/events``: what happened on the farm, and what happens."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from starlette.responses import Response

from lapstrake.farm.api.listing import After, Limit
from lapstrake.farm.api.requests import LARGEST
from lapstrake.farm.api.state import StateOf, StreamsOf
from lapstrake.farm.values.history import Event
from lapstrake.farm.values.lists import Page
from lapstrake.web.events import event_stream, last_id

router = APIRouter(prefix="/api/v1/events", tags=["events"])

Of = Annotated[int | None, Query(ge=1, le=LARGEST)]
_EVENTS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Events with their ids; the data of each is an Event as JSON.",
        "content": {"text/event-stream": {}},
    }
}


@router.get("")
def list_events(
    state: StateOf, after: After = "", task: Of = None, group: Of = None, limit: Limit = 50
) -> Page[Event]:
    """What happened, oldest first."""
    return state.desk.events(after=after, task=task, group=group, limit=limit)


@router.get("/stream", response_class=Response, responses=_EVENTS)
async def stream(
    streams: StreamsOf,
    task: Of = None,
    group: Of = None,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> Response:
    """What happens from now on, or since the event in `Last-Event-ID`."""
    return event_stream(streams.feed.follow(last_id(last_event_id), task, group))
