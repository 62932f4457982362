"""How a build ended, as the server is told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from lapstrake.errors import LapstrakeError
from lapstrake.farm.values.attempts import Peaks, Result
from lapstrake.farm.worker.setup import AttemptFolder

if TYPE_CHECKING:
    from lapstrake.build.record import BuildRecord

_LOG_PLACE = "whole log"
"""What an advice says that only names the log's file."""


def failed_result(
    failed: LapstrakeError, folder: AttemptFolder, record: BuildRecord | None = None
) -> Result:
    """A build that did not go well; where the worker keeps things is of no use to anybody."""
    advice = failed.resolution if _LOG_PLACE not in failed.resolution else ""
    details = "\n".join(filter(None, (failed.details, advice)))
    result = Result(
        ok=False,
        error=failed.brief.replace(f"{folder.bundle}/", ""),
        details=details.replace(f"{folder.bundle}/", ""),
        exit_code=failed.exit_code,
    )
    return result if record is None else recorded(result, record)


def recorded(result: Result, record: BuildRecord) -> Result:
    """A result with what the build's record says."""
    usage = record.usage
    peaks = Peaks(
        wall_seconds=record.seconds,
        cpu_seconds=usage.cpu_seconds,
        memory=usage.peak_memory,
        disk=usage.peak_disk,
        processes=max((sample.processes for sample in usage.samples), default=0),
    )
    return replace(
        result, step=record.step, version=record.version, peaks=peaks, inputs=record.inputs
    )
