"""Running the steps of a build, whatever runs one of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.log import open_log
from lapstrake.artifact.builders.steps import Step, Steps
from lapstrake.errors import UsageError
from lapstrake.host import terminal
from lapstrake.runner.base import Limits, OnOutput, Outcome

RunStep: TypeAlias = Callable[[Step, OnOutput], Outcome]
"""Runs one step to its end."""

SHELL = ("sh", "-c", "command -v bash > /dev/null && exec bash -i; exec sh -i")
"""An interactive shell, the best there is."""


def run_build(job: Job, steps: Steps, run: RunStep) -> None:
    """Everything up to the archive.

    Raises:
        BuildError: a step failed.
    """
    _run(job, job.log, (steps.prepare, steps.build), run)
    run_archive(job, steps, run)


def run_archive(job: Job, steps: Steps, run: RunStep) -> None:
    """The archive step, with a log of its own.

    Raises:
        BuildError: it failed.
    """
    _run(job, job.log.with_name("archive.log"), (steps.archive,), run)


def require_terminal(job: Job) -> None:
    """Refuse a shell that nobody could type into, before anything long begins.

    Raises:
        UsageError: there is no terminal.
    """
    if not terminal.has_terminal():
        raise UsageError(
            f"a shell where {job.package.name} is built needs a terminal",
            resolution="Run it in one, or build, and read the log.",
        )


def run_prepare(job: Job, steps: Steps, run: RunStep) -> None:
    """What comes before a shell; says first that there is no terminal for one.

    Raises:
        UsageError: there is no terminal.
        BuildError: it failed.
    """
    require_terminal(job)
    _run(job, job.log.with_name("prepare.log"), (steps.prepare,), run)
    job.progress.rest()


def limits_of(job: Job) -> Limits:
    """What a step may use, as its package says."""
    return Limits(memory=job.package.runner.memory, cpus=job.package.runner.cpus)


def _run(job: Job, log_file: Path, steps: tuple[Step, ...], run: RunStep) -> None:
    package = job.package
    with open_log(log_file, job.progress) as log:
        for step in steps:
            job.progress.headline(f"{package.name} {package.version}: {step.name}")
            outcome = run(step, log.output)
            if not outcome.ok:
                raise log.failed(f"{package.name} {package.version}: the step {step.name}", outcome)
