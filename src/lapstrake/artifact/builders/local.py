"""The builder ``local``: on the host itself. Nothing isolates a build here."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from lapstrake.artifact.base import SshAccess
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.copies import copies_of, with_copies
from lapstrake.artifact.builders.deliver import deliver
from lapstrake.artifact.builders.places import Places, sources_folder
from lapstrake.artifact.builders.running import (
    SHELL,
    limits_of,
    run_archive,
    run_build,
    run_prepare,
)
from lapstrake.artifact.builders.steps import Step, Steps, steps_of
from lapstrake.errors import ArtifactError, RunnerError
from lapstrake.host import files, supervise, terminal
from lapstrake.host.process import clean_environment
from lapstrake.host.sandbox import SandboxPlan
from lapstrake.runner.base import Lack, OnOutput, Outcome

_FOLDER = "local"


class LocalBuilder:
    """Steps as processes of the host; the build directory is a folder of `Job.folder`."""

    name = "local"

    def probe(self) -> tuple[Lack, ...]:
        """What it can never do, on any host."""
        return (
            Lack(
                what="steps run on the host itself: its files and its network are theirs",
                remedy="Build only what you trust, or use docker or root.",
                blocks=False,
            ),
        )

    def build(self, job: Job) -> Path:
        """Build; see `Builder.build`."""
        steps = self._ready(job)
        run_build(job, steps, _Runner(job, steps))
        return deliver(job, _work(job), steps.output)

    def archive(self, job: Job) -> Path:
        """Archive what was built; see `Builder.archive`."""
        steps = self._steps(job)
        if not _work(job).is_dir():
            raise ArtifactError(
                f"{job.package.name} was never built here",
                resolution=f"Build it first: lapstrake artifact build {job.package.name}",
            )
        run_archive(job, steps, _Runner(job, steps))
        return deliver(job, _work(job), steps.output)

    def clean(self, job: Job) -> None:
        """Remove the build directory; see `Builder.clean`."""
        files.remove_tree(_work(job))

    def shell(self, job: Job) -> int:
        """Open a shell in the build directory; see `Builder.shell`."""
        steps = self._ready(job)
        runner = _Runner(job, steps)
        run_prepare(job, steps, runner)
        return terminal.converse(replace(runner.plan(SHELL), terminal=True))

    def _steps(self, job: Job) -> Steps:
        platform = job.package.platform
        if platform and platform.name == "buildroot" and sys.platform != "linux":
            raise RunnerError(
                f"{job.package.name}: Buildroot builds on Linux only",
                resolution='Set [runner] name = "docker" in its lapstrake.toml.',
            )
        platform_folder = job.platform.folder if job.platform else job.package.folder
        places = Places(
            work=str(_work(job)),
            package=str(job.package.folder.absolute()),
            platform=str(platform_folder.absolute()),
            downloads=str(sources_folder(job)),
            artifacts=str(job.artifacts.absolute()),
            inputs={name: str(folder.absolute()) for name, folder in job.inputs.items()},
        )
        return steps_of(job, with_copies(places, copies_of(job)))

    def _ready(self, job: Job) -> Steps:
        """The steps; the build directory is there, with the copies of what they change."""
        steps, work = self._steps(job), _work(job)
        if job.package.runner.volumes:
            job.progress.warning(f"{job.package.name}: the builder local has no volumes")
        work.mkdir(parents=True, exist_ok=True)
        for copy in copies_of(job):
            if (work / copy.name).exists():
                continue
            new = files.temporary_name(work / copy.name)
            new.mkdir()
            for entry in copy.entries:
                files.copy_tree(entry, new / entry.name)
            new.rename(work / copy.name)
        return steps


class _Runner:
    """Runs steps; all processes that come of one are killed at its end, and when we die."""

    def __init__(self, job: Job, steps: Steps) -> None:
        self._job = job
        self._environment = _environment(job, steps)

    def plan(self, argv: tuple[str, ...]) -> SandboxPlan:
        """A command in the build directory."""
        return SandboxPlan(
            argv=argv,
            env=self._environment,
            cwd=str(_work(self._job)),
            confined=False,
            adopts=True,
        )

    def __call__(self, step: Step, on_output: OnOutput) -> Outcome:
        return supervise.run(self.plan(step.argv), limits=limits_of(self._job), on_output=on_output)


def _environment(job: Job, steps: Steps) -> dict[str, str]:
    """What programs of the host may see, and the steps' own variables.

    Buildroot refuses a PATH with an empty entry, which stands for the current folder.
    """
    variables = clean_environment()
    if job.package.runner.ssh is not SshAccess.AGENT:
        variables.pop("SSH_AUTH_SOCK", None)
    path = [folder for folder in variables.get("PATH", "").split(":") if folder]
    return {**variables, "PATH": ":".join(path), **steps.environment}


def _work(job: Job) -> Path:
    return (job.folder / _FOLDER).absolute()
