"""Whatever goes wrong, as a problem document (RFC 9457)."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route

from lapstrake.errors import LapstrakeError
from lapstrake.farm.model.protocol import PROTOCOL
from lapstrake.farm.monitor.logs import mark_told
from lapstrake.farm.problems import MEDIA_TYPE, PROBLEMS, Invalid, NoRoom, Problem
from lapstrake.host.files import DISK_FULL

_LOG = logging.getLogger("lapstrake.farm.api")
_RETRY_SECONDS = 2
_FOR_APT = ("/repository/", "/artifacts/")
"""What is fetched by programs that know a user's name and a password only."""

_ADVICE = {
    404: "The lists tell what there is; /api/v1/docs names them.",
    409: "See how it stands, then ask for what that allows.",
    413: "Send less.",
    422: "Correct it; /api/v1/docs tells what is taken.",
}
"""What to do where a problem does not say it itself."""


class NoMethod(Problem):
    """The path is there, but not for this method."""

    status = 405
    kind = "no-method"
    title = "The path does not take this method"


class Broken(Problem):
    """An error of ours."""

    status = 500
    kind = "broken"
    title = "An error in Lapstrake itself"


def problem_answer(
    problem: Problem, instance: str = "", headers: Mapping[str, str] | None = None
) -> Response:
    """The document of a problem.

    Args:
        problem: what is wrong.
        instance: the path that was asked for.
        headers: more headers.
    """
    more = retry_after(problem) | dict(headers or {})
    if problem.status == 401:
        kind = "Basic" if instance.startswith(_FOR_APT) else "Bearer"
        more.setdefault("WWW-Authenticate", f'{kind} realm="lapstrake"')
    if problem.status == 426:
        more["Upgrade"] = f"lapstrake-worker/{PROTOCOL}"  # RFC 9110, 15.5.22
    document = problem.document(instance)
    if not document["resolution"]:
        document["resolution"] = _ADVICE.get(problem.status, "See /api/v1/docs.")
    return JSONResponse(document, problem.status, more, MEDIA_TYPE)


def retry_after(problem: Problem) -> dict[str, str]:
    """The header that says when to try again; of most problems, none."""
    if problem.status not in (429, 503):
        return {}
    return {"Retry-After": str(problem.fields.get("retry_after", _RETRY_SECONDS))}


async def error_answer(request: Request, failed: Exception) -> Response:
    """Whatever a handler raises."""
    headers = failed.headers if isinstance(failed, HTTPException) else None
    if isinstance(failed, HTTPException) and failed.status_code == 405:
        headers = {"Allow": ", ".join(sorted(_methods(request)))}
    return problem_answer(_problem(request, failed), request.url.path, headers)


def _methods(request: Request) -> set[str]:
    """What a path takes: all routes together, where the framework looks at the first only."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in fitting for method in route.methods or ()}


def _problem(request: Request, failed: Exception) -> Problem:
    if isinstance(failed, Problem):
        return failed
    if isinstance(failed, RequestValidationError):
        return _invalid(failed.errors())
    if isinstance(failed, HTTPException):
        if isinstance(failed.__cause__, Problem):  # of the body, see `farm.access.bounds`
            return failed.__cause__
        return _of_status(request, failed)
    if isinstance(failed, ClientDisconnect):  # nobody reads this, but it is no error of ours
        return Problem("the client left")
    cause = failed if isinstance(failed, OSError) else failed.__cause__
    if isinstance(cause, OSError) and cause.errno in DISK_FULL:
        return NoRoom("the server's disk is full", resolution="Make room on the server; try again.")
    number = secrets.token_hex(4)
    _LOG.error("%s %s: error %s", request.method, request.url.path, number, exc_info=failed)
    mark_told(failed)
    brief = failed.brief if isinstance(failed, LapstrakeError) else "the request hit an error"
    return Broken(
        f"{brief} ({number})",
        resolution=f"Look for {number} in the server's log, and report it.",
        fields={"error": number},
    )


def _invalid(errors: Sequence[Any]) -> Problem:
    """Wrong values, each with where it is and what is wrong with it."""
    told = [{"where": _where(error["loc"]), "what": error["msg"]} for error in errors]
    brief = "; ".join(f"{each['where']}: {each['what']}" for each in told[:3])
    return Invalid(
        brief, resolution="Correct it; /api/v1/docs tells what is taken.", fields={"errors": told}
    )


def _where(path: Sequence[str | int]) -> str:
    return ".".join(str(part) for part in path)


def _of_status(request: Request, failed: HTTPException) -> Problem:
    """What the framework itself refuses."""
    if failed.status_code == 405:
        return NoMethod(
            f"{request.url.path} does not take {request.method}",
            resolution="See the header Allow, and /api/v1/docs.",
        )
    kinds = {kind.status: kind for kind in PROBLEMS}
    kind = kinds.get(failed.status_code, Problem)
    if failed.status_code == 404:
        return kind(f"there is no {request.url.path}", resolution="See /api/v1/docs.")
    return kind(str(failed.detail), resolution="See /api/v1/docs.")
