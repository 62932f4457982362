"""The farm as one ASGI application; who may ask it is none of its business (see `farm.access`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute

from lapstrake import __version__
from lapstrake.errors import LapstrakeError
from lapstrake.farm.api import routers
from lapstrake.farm.api.answers import error_answer
from lapstrake.farm.api.documents import describe, problems
from lapstrake.farm.api.state import State
from lapstrake.farm.problems import Problem

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    state: State, *, more: Sequence[BaseRoute] = (), lifespan: Lifespan | None = None
) -> FastAPI:
    """Make the application.

    Args:
        state: what is behind it.
        more: other routes, such as pages.
        lifespan: what runs beside it.
    """
    app = FastAPI(
        title="Lapstrake's farm",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.farm = state
    for router in routers.ALL:
        app.include_router(router, responses=problems())
    app.router.routes.extend(more)
    app.openapi = partial(_described, app)  # type: ignore[method-assign]
    kinds: tuple[type[Exception], ...] = (
        Problem,
        LapstrakeError,
        RequestValidationError,
        ClientDisconnect,
        OSError,
        HTTPException,
        Exception,
    )
    for kind in kinds:
        app.add_exception_handler(kind, error_answer)
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, made at the first call."""
    if not app.openapi_schema:
        app.openapi_schema = describe(FastAPI.openapi(app))
    return app.openapi_schema
