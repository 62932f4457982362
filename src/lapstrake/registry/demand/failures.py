"""From a making that failed to the answer that its clients get."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping
from typing import Any

from lapstrake.errors import MissingError
from lapstrake.registry.demand.jobs import Job, State
from lapstrake.registry.problems import Problem

CANNOT = 422
"""The status when an image cannot be made. Clients show the message of a 4xx and hide a 5xx's; 404
would say that the name means nothing."""

_PACKAGE = re.compile(
    r"(?:Setting up|Unpacking|Preparing to unpack \S*/|Processing triggers for"
    r"|dpkg: error processing package|Selecting previously unselected package)\s*"
    r"(?P<name>[a-z0-9][a-z0-9.+-]+)"
)


def child_problem(job: Job, log: str, status: int, answer: Mapping[str, Any]) -> Problem:
    """Why a child that ended made nothing.

    Args:
        job: what it did.
        log: the last lines of its log.
        status: its exit status, negative when a signal ended it.
        answer: what it said at its end.
    """
    error = answer.get("error") or {}
    missing = error.get("missing") or ()
    if missing:
        detail = missing_detail(MissingError(tuple(missing)))
        return Problem(404, "MANIFEST_UNKNOWN", f"{job.name}: {error['brief']}", detail)
    if not error:
        how = _death(status)
        return Problem(500, "UNKNOWN", f"{_where(job, log)}: {how}", _detail(job, log))
    told = {
        "details": error.get("details") or "",
        "resolution": error.get("resolution", ""),
        "exit_code": error.get("exit_code", 1),
    }
    detail = _detail(job, log) | told
    return Problem(CANNOT, "MANIFEST_UNKNOWN", f"{job.name}: {error['brief']}{_step(job)}", detail)


def missing_detail(error: MissingError) -> dict[str, object]:
    """What clients are told of packages that no source has."""
    return error.document | {"not_found": list(error.names)}


def late_problem(job: Job, log: str, *, seconds: float) -> Problem:
    """The time of a making was over."""
    message = f"{_where(job, log)}: not made within {seconds:.0f} s, and stopped{_last(log)}"
    return Problem(CANNOT, "MANIFEST_UNKNOWN", message, _detail(job, log))


def waited_problem(name: str, job: Job | None, log: str, *, seconds: float, before: int) -> Problem:
    """A client's time was over before the making's."""
    if job is None:
        message = f"{name}: another process of this host makes it, since more than {seconds:.0f} s"
        return Problem(CANNOT, "MANIFEST_UNKNOWN", message)
    if job.state is State.WAITING:
        message = f"{name}: waited {seconds:.0f} s in the queue, {before} are before it; pull again"
        return Problem(429, "TOOMANYREQUESTS", message, _detail(job, log))
    message = f"{_where(job, log)}: not made within {seconds:.0f} s{_last(log)}"
    return Problem(CANNOT, "MANIFEST_UNKNOWN", message, _detail(job, log))


def package_of(log: str) -> str:
    """The package that dpkg worked on last, as its output tells; empty when it tells none."""
    found = [match["name"] for match in _PACKAGE.finditer(log)]
    return found[-1] if found else ""


def _detail(job: Job, log: str) -> dict[str, object]:
    lines = log.splitlines()
    return {"job": job.number, "step": job.step, "package": package_of(log), "log": lines}


def _where(job: Job, log: str) -> str:
    package = package_of(log)
    return f"{job.name}{_step(job)}{f' (package {package})' if package else ''}"


def _step(job: Job) -> str:
    return f", while {job.step}" if job.step else ""


def _last(log: str) -> str:
    lines = log.splitlines()
    return f"; its last line: {lines[-1]}" if lines else ""


def _death(status: int) -> str:
    if status >= 0:
        return f"the process that made it ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"the process that made it was killed by {name}"
