"""The pages' live part: server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.demand.jobs import Job, Jobs, State

_PERIOD = 0.4
_LONGEST_SECONDS = 300.0
"""After so long a stream ends, and the browser asks again: of a server that may be another."""
_RETRY = "retry: 500\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_routes(demand: Demand) -> list[BaseRoute]:
    """The routes of the streams."""

    async def all_work(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
        return _stream(_paced(_states(demand.workshop.jobs), demand))

    async def one_log(request: Request) -> Response:
        start = request.headers.get("last-event-id") or request.query_params.get("from", "0")
        begin = int(start) if start.isascii() and start.isdigit() else 0
        jobs = demand.workshop.jobs
        return _stream(_paced(_log(jobs, request.path_params["number"], begin), demand))

    return [
        Route("/jobs/events", all_work, methods=["GET"]),
        Route("/jobs/{number:int}/events", one_log, methods=["GET"]),
    ]


def _stream(events: AsyncIterator[str]) -> Response:
    return StreamingResponse(events, media_type="text/event-stream", headers=_HEADERS)


async def _paced(events: AsyncIterator[str], demand: Demand) -> AsyncIterator[str]:
    """Drop the empty ones, and end after a while, or when the server is to stop."""
    end = time.monotonic() + _LONGEST_SECONDS
    yield _RETRY
    async for event in events:
        if event:
            yield event
        if time.monotonic() >= end or demand.stopping:
            return
        await asyncio.sleep(_PERIOD)


async def _states(jobs: Jobs) -> AsyncIterator[str]:
    """All work that waits or runs, whenever something about it changed; else nothing."""
    told = None
    while True:
        rows = [_row(jobs, job, place) for place, job in enumerate(jobs.alive())]
        yield _event(rows) if rows != told else ""
        told = rows


async def _log(jobs: Jobs, number: int, start: int) -> AsyncIterator[str]:
    """A log's pieces as they come, and its end."""
    while True:
        job = jobs.find(number)
        piece = jobs.read_log(number, start=start).encode()
        whole = piece[: piece.rfind(b"\n") + 1]  # a letter of several bytes may be half there
        start += len(whole)
        yield _event(whole.decode("utf-8", "replace"), id=start) if whole else ""
        if job is None or job.over:
            yield _event(job.state if job else "", name="end")
            return


def _row(jobs: Jobs, job: Job, place: int) -> dict[str, object]:
    last = jobs.tail(job.number, lines=1) if job.state is State.RUNNING else ""
    return {
        "number": job.number,
        "state": job.state,
        "step": job.step,
        "line": last,
        "before": place,
        "since": job.started or job.entered,
    }


def _event(data: object, *, name: str = "", id: int | None = None) -> str:
    lines = [f"event: {name}"] if name else []
    lines += [f"id: {id}"] if id is not None else []
    return "\n".join([*lines, f"data: {json.dumps(data)}", "", ""])
