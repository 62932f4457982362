"""The queue, the history, the images: what the farm as a whole does, did and has."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from lapstrake.farm.api.listing import AfterMoment, Limit
from lapstrake.farm.api.requests import LARGEST, Text
from lapstrake.farm.api.state import State, StateOf
from lapstrake.farm.contents.images import ImageFacts, LayerFacts, image_store
from lapstrake.farm.monitor.aggregates import queue_depths, queue_first, queue_running
from lapstrake.farm.values.history import Ended
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import Wait

router = APIRouter(prefix="/api/v1", tags=["farm"])

Moment = Annotated[float, Query(ge=0, le=LARGEST, allow_inf_nan=False)]
_EXAMPLES = 3


class QueueRow(BaseModel):
    """One of the engine's queues.

    Attributes:
        queue: its name.
        waiting: tasks that wait in it.
        running: tasks of it that workers have.
        oldest: since when the oldest of them does, seconds since 1970.
        reasons: why they wait, of the first ones.
    """

    queue: str
    waiting: int
    running: int
    oldest: float
    reasons: list[Wait]


class Images(BaseModel):
    """The images that were made, and the layers that they share."""

    images: list[ImageFacts]
    layers: list[LayerFacts]


@router.get("/queue")
def queue(state: StateOf) -> list[QueueRow]:
    """What waits for a worker, and why."""
    database = state.desk.database
    depths = {depth.queue: depth for depth in queue_depths(database)}
    running = queue_running(database)
    return [
        QueueRow(
            queue=name,
            waiting=depths[name].waiting if name in depths else 0,
            running=running.get(name, 0),
            oldest=depths[name].oldest if name in depths else 0.0,
            reasons=_reasons(state, name) if name in depths else [],
        )
        for name in sorted(depths.keys() | running.keys())
    ]


def _reasons(state: State, queue: str) -> list[Wait]:
    first = queue_first(state.desk.database, queue, _EXAMPLES)
    return list({wait.reason: wait for task in first for wait in state.desk.why(task)}.values())


@router.get("/history")
def history(
    state: StateOf,
    *,
    name: Text = "",
    branch: Text = "",
    worker: Text = "",
    since: Moment = 0.0,
    until: Moment = 0.0,
    after: AfterMoment = "",
    limit: Limit = 50,
) -> Page[Ended]:
    """Tasks that have ended, the newest end first: how long they took, and what they used."""
    return state.desk.history(
        name=name,
        branch=branch,
        worker=worker,
        since=since,
        until=until,
        after=after,
        limit=limit,
    )


@router.get("/images")
def images(state: StateOf) -> Images:
    """The images that were made on the server, and the layers that they share."""
    store = image_store(state.config)
    return Images(images=list(store.images), layers=list(store.layers.values()))
