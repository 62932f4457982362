"""The farm's server: the API, the pages, the loops, and a builder of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import ASGIApp

from lapstrake.errors import Interrupted
from lapstrake.farm.access.gate import Gate
from lapstrake.farm.access.rates import Rates
from lapstrake.farm.access.sessions import Sessions
from lapstrake.farm.api.answers import problem_answer
from lapstrake.farm.api.app import create_app
from lapstrake.farm.api.live.streams import streaming
from lapstrake.farm.pages.routes import page_routes
from lapstrake.farm.serving.assembly import Parts, assemble
from lapstrake.farm.serving.beside import Beside
from lapstrake.farm.serving.settings import ServeSettings, check_access, check_settings
from lapstrake.web.access_log import AccessLog, Logged
from lapstrake.web.keys import signing_key
from lapstrake.web.listening import address_of, listen
from lapstrake.web.sendfile_protocol import SendfileProtocol
from lapstrake.web.stopping import told_to_stop

_GRACE_SECONDS = 20
"""How long requests may go on after the server was told to stop."""
_KEEP_ALIVE_SECONDS = 75


def serve(settings: ServeSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop (SIGTERM, SIGINT).

    Args:
        settings: see there.
        on_ready: told the address, as a URL, once connections are accepted.

    Raises:
        ConfigError: a setting is wrong, or the address is taken.
        Unavailable: the database cannot be reached.
    """
    farm = settings.config.farm
    check_settings(farm)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    with assemble(settings.config) as parts, listen(farm.listen, key="farm.listen") as listener:
        loopback = check_access(farm, parts.tokens)
        parts.state.desk.reconcile()
        url = address_of(listener, tls=farm.tls_certificate is not None)
        app = _application(settings, parts, url, loopback=loopback, on_ready=on_ready)
        try:
            uvicorn.Server(_uvicorn_config(settings, app)).run(sockets=[listener])
        except Interrupted:
            return  # uvicorn tells what stopped it once more after it has stopped


def _application(
    settings: ServeSettings,
    parts: Parts,
    url: str,
    *,
    loopback: bool,
    on_ready: Callable[[str], None],
) -> ASGIApp:
    """Everything that answers requests, and what runs beside it."""
    farm = settings.config.farm
    state = parts.state
    beside = Beside(settings, parts, url)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(beside.begin)
        async with streaming(state.desk) as app.state.streams:
            with told_to_stop(app.state.streams.close):
                on_ready(url)
                yield
        await run_in_threadpool(beside.end)

    gate = Gate(
        app=create_app(
            state, more=page_routes(state.desk, state.config, state.contents), lifespan=lifespan
        ),
        tokens=parts.tokens,
        sessions=Sessions(
            parts.tokens, signing_key(state.place.private / "farm.key", what="the farm's key")
        ),
        rates=Rates(farm.requests),
        answer=problem_answer,
        loopback=loopback,
        host=urlsplit(farm.url).hostname or "",
        anonymous_read=farm.anonymous_read,
    )
    if settings.access_log is AccessLog.OFF:
        return gate
    return Logged(app=gate, form=settings.access_log)


def _uvicorn_config(settings: ServeSettings, app: ASGIApp) -> uvicorn.Config:
    farm = settings.config.farm
    return uvicorn.Config(
        app,
        http=SendfileProtocol,
        loop="asyncio",  # its sendfile is the kernel's
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        log_config=None,
        server_header=False,
        ssl_certfile=farm.tls_certificate,
        ssl_keyfile=farm.tls_key,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
