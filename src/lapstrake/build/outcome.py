"""What the end of a driver means: which step failed, and the error that says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from lapstrake.bundle.base import Needs
from lapstrake.errors import (
    CompileError,
    ConfigureError,
    InstallError,
    LapstrakeError,
    LimitError,
    PackError,
    PrepareError,
    QualityError,
    StepError,
)
from lapstrake.runner.base import Ending, Limits, Outcome

_Number = TypeVar("_Number", int, float)

STEPS: dict[str, type[StepError]] = {
    "prepare": PrepareError,
    "configure": ConfigureError,
    "build": CompileError,
    "install": InstallError,
    "qa": QualityError,
    "pack": PackError,
}
"""The drivers' steps, in order, and the error of each."""


def failure(
    outcome: Outcome, *, step: str, limits: Limits, log_tail: str, log: str
) -> LapstrakeError:
    """The error for a driver that did not end well.

    Args:
        outcome: how it ended.
        step: the step it had begun last.
        limits: what it was allowed to use.
        log_tail: the log's last lines.
        log: where the whole log is.
    """
    if outcome.ending is not Ending.EXITED:
        limit = _allowed(outcome, limits)
        return LimitError(
            f"the build was stopped in the step {step!r}: {outcome.ending}{limit}",
            details=log_tail,
            resolution="Raise the limit in [limits] of config.toml, or mend the bundle.",
        )
    error = STEPS.get(step, StepError)
    return error(
        f"the step {step!r} failed with status {outcome.status}",
        details=log_tail,
        resolution=f"The whole log: {log}",
    )


def _allowed(outcome: Outcome, limits: Limits) -> str:
    """The limit that was broken, for people."""
    if outcome.ending is Ending.TIMED_OUT and limits.seconds is not None:
        return f" (limit {limits.seconds:g} s)"
    if outcome.ending is Ending.OUT_OF_MEMORY and limits.memory is not None:
        return f" (limit {limits.memory >> 20} MiB)"
    if outcome.ending is Ending.OUT_OF_DISK and limits.disk is not None:
        return f" (limit {limits.disk >> 20} MiB)"
    if outcome.ending is Ending.OUT_OF_PROCESSES and limits.processes is not None:
        return f" (limit {limits.processes})"
    return ""


def bounds(configured: Limits, needs: Needs) -> Limits:
    """What a build may use: the lower of what the configuration and the bundle say."""
    return replace(
        configured,
        seconds=_lower(configured.seconds, needs.seconds),
        memory=_lower(configured.memory, needs.memory),
        disk=_lower(configured.disk, needs.disk),
    )


def _lower(first: _Number | None, second: _Number | None) -> _Number | None:
    """The lower of two limits; ``None`` is no limit."""
    present = [limit for limit in (first, second) if limit is not None]
    return min(present) if present else None
