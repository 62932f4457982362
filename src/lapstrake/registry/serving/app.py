"""The registry as one ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

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


def create_app(core: Core, more: Sequence[BaseRoute] = ()) -> Starlette:
    """Make the application; what may ask it is none of its business (see `gate`).

    Args:
        core: its state.
        more: other routes, such as pages.
    """
    # The most asked for first; a name may have any of the words below, so uploads before blobs.
    routes: list[BaseRoute] = [
        *ManifestEndpoints(core).routes(),
        *UploadEndpoints(core).routes(),
        *BlobEndpoints(core).routes(),
        *ListEndpoints(core).routes(),
        Route(HEALTH, _health),
        *more,
    ]

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:  # noqa: ARG001 - Starlette's signature
        sweeping = asyncio.create_task(_sweep_uploads(core), name="sweeping uploads")
        try:
            if core.demand is None:
                yield
            else:
                await core.demand.start()
                with told_to_stop(core.demand.begin_to_stop):
                    yield
                await core.demand.stop()
        finally:
            sweeping.cancel()

    kinds = (Problem, LapstrakeError, ClientDisconnect, HTTPException, Exception)
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers=dict.fromkeys(kinds, error_answer),
    )
    app.router.redirect_slashes = False
    return app


async def _health(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
    """For those who watch over processes: that this one answers."""
    return JSONResponse({"status": "ok", "version": __version__})


async def _sweep_uploads(core: Core) -> None:
    """Remove uploads that were given up, for as long as the server runs."""
    while True:
        with suppress(OSError):  # the next hour may be better
            await core.write(lambda: core.uploads.sweep(older=_GIVEN_UP_SECONDS))
        await asyncio.sleep(_HOUR)
