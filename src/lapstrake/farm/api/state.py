"""What requests need of the server, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from lapstrake.config.model import Config
from lapstrake.farm.access.tokens import Tokens
from lapstrake.farm.access.viewer import Viewer, viewer_of
from lapstrake.farm.api.live.streams import Streams
from lapstrake.farm.contents.base import Contents
from lapstrake.farm.desk.desk import Desk
from lapstrake.farm.monitor.metrics import Metrics
from lapstrake.farm.webhooks.store import Webhooks
from lapstrake.place.workplace import Workplace

Check = Callable[[], str]
"""Why something is not ready, one line; empty when it is. May raise problems."""


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything behind the API.

    Attributes:
        desk: all changes of state.
        contents: bundles, layers and results by digest.
        place: where the server keeps its branches.
        engine: the engine's address for the server's own builder; other workers get
            ``farm.worker_database``.
        tokens: who may ask.
        webhooks: who is told.
        metrics: for Prometheus.
        checks: of readiness.
        own_work: what the server itself does (``loading OS`` ...); empty for nothing.
    """

    desk: Desk
    contents: Contents
    place: Workplace
    engine: str
    tokens: Tokens
    webhooks: Webhooks
    metrics: Metrics
    checks: Sequence[Check] = ()
    own_work: Callable[[], str] = _nothing

    @property
    def config(self) -> Config:
        """The configuration; it may be read again while the server runs."""
        return self.desk.config


# Coroutines, though they wait for nothing: what is none goes through a thread at each request.


async def state_of(request: Request) -> State:
    """What the application was made with."""
    return cast(State, request.app.state.farm)


async def streams_of(request: Request) -> Streams:
    """What the application began with."""
    return cast(Streams, request.app.state.streams)


async def _viewer_of(request: Request) -> Viewer:
    return viewer_of(request)


StateOf = Annotated[State, Depends(state_of)]
"""For handlers: the state."""

StreamsOf = Annotated[Streams, Depends(streams_of)]
"""For handlers: logs and events that are followed."""

ViewerOf = Annotated[Viewer, Depends(_viewer_of)]
"""For handlers: who asks."""
