"""For those who watch over the server: whether it lives, whether it works, its numbers."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel
from starlette.responses import Response

from lapstrake import __version__
from lapstrake.farm.api.state import Check, StateOf
from lapstrake.farm.problems import Problem, Unavailable

router = APIRouter(tags=["health"])

_OPEN: dict[str, Any] = {"security": []}


class Health(BaseModel):
    """That the server answers."""

    status: str = "ok"
    version: str = __version__


@router.get("/health", openapi_extra=_OPEN)
def health() -> Health:
    """Whether the process lives; nothing else is looked at."""
    return Health()


@router.get("/ready", openapi_extra=_OPEN)
def ready(state: StateOf) -> Health:
    """Whether requests can be granted: the database, the engine and the disk are there.

    503 tells what is not; also when the server has been told to stop.
    """
    lacks = list(filter(None, (_lack(check) for check in state.checks)))
    if lacks:
        raise Unavailable(
            "; ".join(lacks), resolution="Look at the server.", fields={"lacks": lacks}
        )
    return Health()


def _lack(check: Check) -> str:
    try:
        return check()
    except Problem as problem:
        return problem.brief


@router.get("/metrics", response_class=Response)
def metrics(state: StateOf, accept: Annotated[str, Header()] = "") -> Response:
    """Numbers for Prometheus."""
    body, media_type = state.metrics.answer(accept)
    return Response(body, media_type=None, headers={"Content-Type": media_type})
