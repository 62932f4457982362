"""The farm: ``[farm]``."""

# ruff: noqa: RUF009 - setting() gives dataclass fields

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from lapstrake.config.kinds import (
    DURATION,
    FLAG,
    PATH,
    SIZE,
    TEXT,
    TEXTS,
    above_zero,
    choice,
    whole_number,
)
from lapstrake.config.setting import setting

_GIB = 1024**3


class PlacementKind(StrEnum):
    """How the farm chooses what runs where."""

    CRITICAL_PATH = "critical-path"
    MAKESPAN = "makespan"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmConfig:
    """``[farm]``: the server, its workers and its clients."""

    server: str = setting(
        TEXT,
        "the farm that workers and clients talk to",
        default="http://127.0.0.1:7400",
        variables=("LAPSTRAKE_SERVER",),
    )
    token_file: Path | None = setting(
        PATH, "the file of the token that workers and clients show", default=None
    )
    listen: str = setting(TEXT, "the address and port of `serve`", default="127.0.0.1:7400")
    url: str = setting(TEXT, "the server's public address, for links; empty: as listen", default="")
    database: str = setting(
        TEXT,
        "empty for SQLite in work_dir/farm, or postgresql://USER:PASSWORD@HOST/NAME",
        default="",
    )
    worker_database: str = setting(
        TEXT, "the same database as workers reach it, with a role for the engine only", default=""
    )
    slots: int = setting(whole_number(least=0), "builds at a time of the server itself", default=1)
    capabilities: tuple[str, ...] = setting(
        TEXTS, "what this machine's builders claim besides: local, secrets, gpu ...", default=()
    )
    pool: str = setting(
        TEXT, "a word; this machine's builders build only what asks for it", default=""
    )
    tls_certificate: Path | None = setting(PATH, "the certificate, for https", default=None)
    tls_key: Path | None = setting(PATH, "the certificate's key", default=None)
    anonymous_read: bool = setting(FLAG, "whoever comes may look", default=False)
    registry: bool = setting(
        FLAG, "serve images, too, made when they are pulled, as [registry] says", default=True
    )
    root_makers: tuple[str, ...] = setting(
        TEXTS,
        "tokens of workers whose roots others build in, for machines that the server is not;"
        " empty: the first one's that makes them",
        default=(),
    )
    attempts: int = setting(
        whole_number(least=1), "workers that may be lost before a task is given up", default=3
    )
    heartbeat: float = setting(above_zero(DURATION), "between a worker's heartbeats", default=3.0)
    fence_after: float = setting(
        above_zero(DURATION), "without the engine, a worker kills what it builds", default=25.0
    )
    dead_after: float = setting(
        above_zero(DURATION),
        "silent, a worker loses its tasks; more than fence_after",
        default=30.0,
    )
    new_timeout: float = setting(
        above_zero(DURATION), "a task may lack its bundle or branch for so long", default=86400.0
    )
    queue_timeout: float = setting(
        above_zero(DURATION), "a task may wait for a worker for so long", default=7 * 86400.0
    )
    fetch_timeout: float = setting(
        above_zero(DURATION), "a worker may bring things together for so long", default=7200.0
    )
    silence_limit: float = setting(
        DURATION, "a build whose log says nothing for so long is stopped; 0: never", default=10800.0
    )
    upload_limit: int = setting(SIZE, "bytes of one upload", default=_GIB)
    bundle_limit: int = setting(SIZE, "bytes of an unpacked bundle", default=4 * _GIB)
    requests: int = setting(whole_number(least=1), "requests of one token a minute", default=6000)
    stop_after: float = setting(
        DURATION, "a server that stops lets its own builds end for so long", default=60.0
    )
    webhook_private: bool = setting(
        FLAG, "webhooks may go to the server's own network", default=False
    )
    disk_low: int = setting(SIZE, "room below which the farm makes room", default=5 * _GIB)
    keep: float = setting(
        above_zero(DURATION), "logs and results of ended tasks are kept", default=90 * 86400.0
    )
    placement: PlacementKind = setting(
        choice(PlacementKind), "how tasks are put on machines", default=PlacementKind.CRITICAL_PATH
    )
