"""Answers of the registry's protocol: JSON, errors, pages of lists."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from lapstrake.errors import LapstrakeError
from lapstrake.host.files import DISK_FULL
from lapstrake.registry.problems import Problem

API_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}
"""What Docker's clients recognize a registry by; every answer below ``/v2/`` has it."""

_LOOK_SECONDS = 0.5
T = TypeVar("T")

_WORDS = {401: "UNAUTHORIZED", 403: "DENIED", 404: "NAME_UNKNOWN", 405: "UNSUPPORTED"}


def problem_answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """An error in the specification's shape."""
    error = {"code": problem.code, "message": problem.message, "detail": problem.detail}
    return JSONResponse(
        {"errors": [error]}, status_code=problem.status, headers={**API_VERSION, **(headers or {})}
    )


def error_answer(request: Request, failed: Exception) -> Response:  # noqa: ARG001 - Starlette's signature
    """Whatever an endpoint raises, in the specification's shape."""
    if isinstance(failed, Problem):
        return problem_answer(failed)
    if isinstance(failed, HTTPException):
        code = _WORDS.get(failed.status_code, "UNSUPPORTED")
        problem = Problem(failed.status_code, code, failed.detail)
        return problem_answer(problem, failed.headers)
    if isinstance(failed, ClientDisconnect):  # nobody reads this, but it is no error of ours
        return problem_answer(Problem(400, "BLOB_UPLOAD_INVALID", "the client left"))
    if isinstance(failed, LapstrakeError):
        cause = failed.__cause__
        full = isinstance(cause, OSError) and cause.errno in DISK_FULL
        return problem_answer(Problem(507 if full else 500, "UNKNOWN", failed.brief))
    return problem_answer(Problem(500, "UNKNOWN", "an error in Lapstrake itself; see its log"))


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for something as long as the client does: a server that stops waits for us.

    Raises:
        ClientDisconnect: the client left.
    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=_LOOK_SECONDS))[0]:
            if await request.is_disconnected():
                raise ClientDisconnect
    finally:
        task.cancel()
    return task.result()


def list_page(request: Request, entries: Sequence[str]) -> tuple[Sequence[str], dict[str, str]]:
    """Cut a list to what the query's ``n`` and ``last`` ask for.

    Args:
        request: what was asked.
        entries: the whole list, in its order; compared without regard to case.

    Returns:
        the page, and the ``Link`` header if there is more.

    Raises:
        Problem: ``n`` is no number.
    """
    last, count = request.query_params.get("last"), _count(request)
    if last is not None:
        key = (last.lower(), last)
        entries = [entry for entry in entries if (entry.lower(), entry) > key]
    if count is None or len(entries) <= count:
        return entries, {}
    page = entries[:count]
    if not page:
        return page, {}
    query = urlencode({**request.query_params, "n": count, "last": page[-1]})
    return page, {"Link": f'<{request.url.path}?{query}>; rel="next"'}


def _count(request: Request) -> int | None:
    text = request.query_params.get("n")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        message = f"n must be a number, and {text!r} is none"
        raise Problem(400, "PAGINATION_NUMBER_INVALID", message, {"n": text})
    return int(text)
