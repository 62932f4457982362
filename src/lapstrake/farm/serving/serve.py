"""The farm's server: the API, the pages, the loops, and a builder of its own."""

from __future__ import annotations

import re
from asyncio import CancelledError
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, nullcontext, suppress
from dataclasses import dataclass
from functools import partial

import uvicorn
from fastapi import FastAPI
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from lapstrake.config.model import Config
from lapstrake.errors import Interrupted
from lapstrake.farm.access.bounds import Bounded
from lapstrake.farm.access.gate import Gate
from lapstrake.farm.access.rates import Rates
from lapstrake.farm.access.sessions import Sessions
from lapstrake.farm.api.answers import error_answer, problem_answer
from lapstrake.farm.api.app import create_app
from lapstrake.farm.api.live.streams import Streams, streaming
from lapstrake.farm.monitor.logs import start_logs
from lapstrake.farm.monitor.ready import alive, ask_for_time, tell_systemd
from lapstrake.farm.monitor.tracing import Tracing, start_tracing
from lapstrake.farm.pages.routes import page_routes
from lapstrake.farm.pages.site import no_such_page
from lapstrake.farm.serving.assembly import Parts, assemble
from lapstrake.farm.serving.beside import Beside
from lapstrake.farm.serving.registry import (
    Registry,
    divided,
    in_service,
    refusal,
    registry_proofs,
)
from lapstrake.farm.serving.reload import on_hangup
from lapstrake.farm.serving.settings import ServeSettings, check_access, check_settings
from lapstrake.farm.serving.stopping import PatientServer, Stopping
from lapstrake.farm.tables.half_restored import refuse_half_restored
from lapstrake.host.cgroup import step_aside
from lapstrake.registry.answers import error_answer as registry_error
from lapstrake.registry.problems import Problem as RegistryProblem
from lapstrake.web.access_log import AccessLog, Logged
from lapstrake.web.keys import signing_key
from lapstrake.web.listening import address_of, listen
from lapstrake.web.sendfile_protocol import SendfileProtocol

_GRACE_SECONDS = 20
"""How long requests may go on after the server has stopped to take new ones."""
_KEEP_ALIVE_SECONDS = 75
_OFTEN = re.compile(
    r"POST /api/v1/workers/[^/]+/heartbeat|PATCH /api/v1/tasks/\d+/attempts/\d+/log"
    r"|POST /api/v1/tasks/\d+/attempts/\d+/samples|GET /(health|ready|metrics)"
)
"""What comes every few seconds: told of only when it fails."""


def serve(settings: ServeSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); what it builds may end before that.

    Args:
        settings: see there.
        on_ready: told the address, as a URL, once connections are accepted.

    Raises:
        ConfigError: a setting is wrong, or the address is taken.
        FarmError: another server works on this farm, or a restore of it has not ended.
        Unavailable: the database cannot be reached.
    """
    farm = settings.config.farm
    check_settings(farm)
    refuse_half_restored(settings.config.work_dir)
    start_logs(settings.log_format)
    step_aside()
    stopping, tracing = Stopping(), start_tracing("lapstrake-serve")
    with (
        listen(farm.listen, key="farm.listen") as listener,
        assemble(settings.config, stopping=stopping, overrides=settings.overrides) as parts,
        nullcontext() if tracing is None else closing(tracing),
    ):
        state = parts.state
        loopback = check_access(farm, state.tokens)
        state.desk.reconcile()
        url = address_of(listener, tls=farm.tls_certificate is not None)
        beside = Beside(settings, parts, farm.url if farm.tls_certificate is not None else url)
        running = _Running(
            beside=beside,
            registry=parts.registry,
            stopping=stopping,
            url=url,
            ready=lambda: on_ready(url),
            patience=farm.stop_after + 2 * _GRACE_SECONDS,
        )
        app = create_app(state, more=_pages(parts), lifespan=running.lifespan)
        app.add_exception_handler(RegistryProblem, registry_error)
        app.add_exception_handler(404, partial(no_such_page, answer=error_answer))
        guarded = _guarded(settings, parts, app, tracing, loopback=loopback)
        config = _uvicorn_config(settings, guarded)
        on_hangup(settings, lambda: state.config, partial(_use, parts, config))
        try:
            PatientServer(config, running.end).run(sockets=[listener])
        except Interrupted:
            return  # uvicorn tells what stopped it once more after it has stopped


@dataclass(slots=True, kw_only=True)
class _Running:
    """The server's life: what begins before the first request, and ends before the last one."""

    beside: Beside
    registry: Registry | None
    stopping: Stopping
    url: str
    ready: Callable[[], None]
    patience: float
    streams: Streams | None = None

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        async with streaming(app.state.farm.desk) as streams, alive(), in_service(self.registry):
            self.streams = app.state.streams = streams
            self.beside.begin()
            self.ready()
            tell_systemd("READY=1", f"STATUS=serving on {self.url}")
            with suppress(CancelledError):  # a second signal: nothing more is waited for
                yield

    def end(self) -> None:
        """In a thread of its own; requests are answered meanwhile."""
        self.stopping.tell()
        if self.registry is not None:
            self.registry.demand.begin_to_stop()
        tell_systemd("STOPPING=1", "STATUS=stopping", ask_for_time(self.patience))
        self.beside.end()
        if self.streams is not None:
            self.streams.close_soon()


def _use(parts: Parts, server: uvicorn.Config, config: Config) -> None:
    """Let another configuration hold, and a renewed certificate be shown."""
    parts.state.desk.config = config
    parts.contents.upload_limit = config.farm.upload_limit
    if server.ssl is not None and server.ssl_certfile is not None:
        server.ssl.load_cert_chain(server.ssl_certfile, server.ssl_keyfile)


def _pages(parts: Parts) -> list[BaseRoute]:
    demand = parts.registry.demand if parts.registry else None
    return page_routes(parts.state.desk, parts.contents, parts.state.tokens, demand)


def _guarded(
    settings: ServeSettings, parts: Parts, app: ASGIApp, tracing: Tracing | None, *, loopback: bool
) -> ASGIApp:
    """The application behind its gate, watched."""
    state, registry, behind = parts.state, parts.registry, Bounded(app=app, answer=problem_answer)
    key = signing_key(state.place.private / "farm.key", what="the farm's key")
    proofs = registry_proofs(state.tokens, key)
    gate: ASGIApp = Gate(
        app=divided(registry, proofs, behind, parts.room.lacking) if registry else behind,
        tokens=state.tokens,
        sessions=Sessions(state.tokens, key),
        proofs=proofs,
        rates=Rates(),
        answer=refusal(lambda: state.config.farm.anonymous_read),
        loopback=loopback,
        farm=lambda: state.config.farm,
    )
    gate = state.metrics.measured(gate)
    if tracing is not None:
        tracing.watch(state.desk)
        gate = tracing.traced(gate)
    if settings.access_log is AccessLog.OFF:
        return gate
    return Logged(app=gate, form=settings.access_log, quiet=_OFTEN)


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
