"""The pages' live part: server-sent events (WHATWG HTML, section 9.2)."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from lapstrake.registry.demand.demand import Demand
from lapstrake.registry.demand.jobs import Job, Jobs, State
from lapstrake.registry.problems import Problem

_PERIOD = 0.4
_LONGEST_SECONDS = 300.0
"""After so long a stream ends, and the browser asks again: of a server that may be another."""
_MOST_STREAMS = 100
"""Each looks at files now and then."""
_RETRY = "retry: 500\n\n"
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event_routes(demand: Demand) -> list[Route]:
    """The routes of the streams."""
    room = asyncio.Semaphore(_MOST_STREAMS)

    def stream(events: AsyncIterator[str]) -> Response:
        if room.locked():
            raise Problem(429, "TOOMANYREQUESTS", "too many watch already; load the page again")
        paced = _within(room, _paced(events, demand))
        return StreamingResponse(paced, media_type="text/event-stream", headers=_HEADERS)

    async def all_work(request: Request) -> Response:  # noqa: ARG001 - Starlette's signature
        return stream(_states(demand.workshop.jobs))

    async def one_log(request: Request) -> Response:
        start = request.headers.get("last-event-id") or request.query_params.get("from", "0")
        return stream(_log(demand.workshop.jobs, job_number(request), _number(start)))

    return [
        Route("/jobs/events", all_work, methods=["GET"]),
        Route("/jobs/{number}/events", one_log, methods=["GET"]),
    ]


def job_number(request: Request) -> int:
    """Which work a path names; 0, which is none, when it is no number."""
    return _number(request.path_params["number"])


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


async def _within(room: asyncio.Semaphore, events: AsyncIterator[str]) -> AsyncIterator[str]:
    async with room:
        async for event in events:
            yield event


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
