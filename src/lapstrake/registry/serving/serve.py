"""The registry's server: one process, or several that share a socket."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from functools import partial

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from lapstrake.blobs.open import open_blobs
from lapstrake.errors import Interrupted
from lapstrake.place.workplace import Workplace
from lapstrake.progress import Silent
from lapstrake.registry.access.gate import Gate
from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.pages.artifacts import artifact_routes
from lapstrake.registry.pages.routes import page_routes
from lapstrake.registry.protocol.core import Core
from lapstrake.registry.serving.app import create_app
from lapstrake.registry.serving.settings import (
    ServerSettings,
    check_settings,
    passwords,
)
from lapstrake.runner.choose import load
from lapstrake.web.access_log import AccessLog, Logged
from lapstrake.web.keys import signing_key
from lapstrake.web.listening import address_of, listen
from lapstrake.web.sendfile_protocol import SendfileProtocol

_GRACE_SECONDS = 30
"""How long transfers may go on after the server was told to stop."""
_KEEP_ALIVE_SECONDS = 75


def serve(settings: ServerSettings, *, on_ready: Callable[[str], None]) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); then running transfers may end.

    Args:
        settings: see there.
        on_ready: told the address, as a URL, once connections are accepted.

    Raises:
        ConfigError: a setting is wrong, or the address is taken.
        StoreError: the storage cannot be opened.
    """
    registry = settings.config.registry
    check_settings(registry)
    application(settings)  # what is wrong with it is better told here than by each worker
    with listen(registry.listen, key="registry.listen") as listener:
        on_ready(address_of(listener, tls=registry.tls_certificate is not None))
        config = _uvicorn_config(settings)
        try:
            if registry.workers > 1:
                Multiprocess(config, sockets=[listener]).run()
            else:
                uvicorn.Server(config).run(sockets=[listener])
        except Interrupted:
            return  # uvicorn tells what stopped it once more after it has stopped


def application(settings: ServerSettings) -> ASGIApp:
    """Everything that answers requests, in one process.

    Raises:
        StoreError: the storage cannot be opened.
    """
    config, registry = settings.config, settings.config.registry
    place = Workplace(config=config, runner=load("userns"), progress=Silent())
    blobs = open_blobs(config)
    demand = Demand(place, blobs, overrides=settings.overrides)
    core = Core(
        blobs=blobs,
        demand=demand,
        namespaces=registry.namespaces,
        read_only=registry.read_only,
        redirect=registry.redirect,
    )
    gate = Gate(
        app=create_app(core, [*page_routes(demand), *artifact_routes(config)]),
        passwords=passwords(registry),
        anonymous_pull=registry.anonymous_pull,
        key=signing_key(place.private / "registry.key", what="the registry's key"),
    )
    if settings.access_log is AccessLog.OFF:
        return gate
    return Logged(app=gate, form=settings.access_log)


def _worker(settings: ServerSettings) -> ASGIApp:
    """The application of a worker process, which ends when its parent does."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return application(settings)


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _uvicorn_config(settings: ServerSettings) -> uvicorn.Config:
    registry = settings.config.registry
    return uvicorn.Config(
        partial(_worker, settings),
        factory=True,
        workers=registry.workers,
        http=SendfileProtocol,
        loop="asyncio",  # its sendfile is the kernel's
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        ssl_certfile=registry.tls_certificate,
        ssl_keyfile=registry.tls_key,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
