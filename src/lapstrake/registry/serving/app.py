"""The registry as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lapstrake import __version__
from lapstrake.errors import LapstrakeError
from lapstrake.registry.access.gate import HEALTH
from lapstrake.registry.answers import error_answer
from lapstrake.registry.problems import Problem
from lapstrake.registry.protocol.core import Core
from lapstrake.registry.protocol.endpoints_blobs import BlobEndpoints
from lapstrake.registry.protocol.endpoints_lists import ListEndpoints
from lapstrake.registry.protocol.endpoints_manifests import ManifestEndpoints
from lapstrake.registry.protocol.endpoints_uploads import UploadEndpoints
from lapstrake.web.stopping import told_to_stop

_HOUR = 3600.0
_GIVEN_UP_SECONDS = 24 * _HOUR
"""An upload that nobody has worked on for so long is nobody's."""


def protocol_app(core: Core, more: Sequence[BaseRoute] = (), **options: Any) -> Starlette:  # noqa: ANN401 - Starlette's
    """Make what answers the protocol's requests; whatever goes wrong is told in its words.

    Args:
        core: its state, which has to be `running`.
        more: other routes, such as pages.
        options: of the application.
    """
    # The most asked for first; a name may have any of the words below, so uploads before blobs.
    routes: list[BaseRoute] = [
        *ManifestEndpoints(core).routes(),
        *UploadEndpoints(core).routes(),
        *BlobEndpoints(core).routes(),
        *ListEndpoints(core).routes(),
        *more,
    ]
    kinds = (Problem, LapstrakeError, ClientDisconnect, HTTPException, Exception)
    app = Starlette(routes=routes, exception_handlers=dict.fromkeys(kinds, error_answer), **options)
    app.router.redirect_slashes = False
    return app


@asynccontextmanager
async def running(core: Core) -> AsyncIterator[None]:
    """Do what goes on beside the requests, until the block ends."""
    sweeping = asyncio.create_task(_sweep_uploads(core), name="sweeping uploads")
    try:
        if core.demand is not None:
            await core.demand.start()
        yield
        if core.demand is not None:
            await core.demand.stop()
    finally:
        sweeping.cancel()


def create_app(core: Core, more: Sequence[BaseRoute] = ()) -> Starlette:
    """Make the application of a server of its own; who may ask it is none of its business.

    Args:
        core: its state.
        more: other routes, such as pages.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's signature
        tell = core.demand.begin_to_stop if core.demand is not None else _nothing
        async with running(core):
            with told_to_stop(tell):
                yield

    return protocol_app(core, [Route(HEALTH, _health), *more], lifespan=lifespan)


def _nothing() -> None:
    """There is nobody to tell."""


async def _health(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    """For those who watch over processes: that this one answers."""
    return JSONResponse({"status": "ok", "version": __version__})


async def _sweep_uploads(core: Core) -> None:
    """Remove uploads that were given up, for as long as the server runs."""
    while True:
        with suppress(OSError):  # the next hour may be better
            await core.write(lambda: core.uploads.sweep(older=_GIVEN_UP_SECONDS))
        await asyncio.sleep(_HOUR)
