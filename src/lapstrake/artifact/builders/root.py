"""The builder ``root``: in a throw-away root of layers, of which the build directory is kept."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from lapstrake.artifact.builders.agent import AGENT, agent_socket
from lapstrake.artifact.builders.base import ARTIFACTS, DOWNLOADS, ENV, PLATFORM, WORK, Job
from lapstrake.artifact.builders.copies import copies_of, with_copies
from lapstrake.artifact.builders.deliver import deliver
from lapstrake.artifact.builders.kept import KeptBuild
from lapstrake.artifact.builders.places import guest_places, private_folder, sources_folder
from lapstrake.artifact.builders.running import (
    SHELL,
    limits_of,
    run_archive,
    run_build,
    run_prepare,
)
from lapstrake.artifact.builders.steps import Step, Steps, steps_of
from lapstrake.branch.instance import enter_branch
from lapstrake.branch.room import collect_over_budget
from lapstrake.compose.base import Wanted
from lapstrake.errors import ArtifactError, LapstrakeError, RunnerError
from lapstrake.layer.store import Layer
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from lapstrake.runner.base import Bind, Command, Lack, Network, OnOutput, Outcome, Session
from lapstrake.runner.choose import outward

_Result = TypeVar("_Result")


class RootBuilder:
    """Steps in a branch's root with the packages that the runner's configuration names.

    They run as the root's own root, and reach the network only if the package says so. The package,
    its platform and the artifacts it needs are read-only.

    Args:
        place: where the branch and the store are.
    """

    name = "root"

    def __init__(self, place: Workplace) -> None:
        self.place = place

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for roots."""
        try:
            return tuple(self.place.layer_runner.probe())
        except RunnerError as refused:
            return (Lack(what=refused.brief, remedy=refused.resolution),)

    def build(self, job: Job) -> Path:
        """Build; see `Builder.build`."""
        steps = _steps(job)
        self._enter(job, lambda session: run_build(job, steps, self._in(session, job, steps)))
        archive = self._deliver(job, steps)
        collect_over_budget(self.place)
        return archive

    def archive(self, job: Job) -> Path:
        """Archive what was built; see `Builder.archive`."""
        steps = _steps(job)
        if KeptBuild(self.place.store, job).layer is None:
            raise ArtifactError(
                f"{job.package.name} was never built here, or its build directory was collected",
                resolution=f"Build it first: lapstrake artifact build {job.package.name}",
            )
        self._enter(job, lambda session: run_archive(job, steps, self._in(session, job, steps)))
        return self._deliver(job, steps)

    def clean(self, job: Job) -> None:
        """Remove the kept build directory; see `Builder.clean`."""
        KeptBuild(self.place.store, job).remove()

    def shell(self, job: Job) -> int:
        """Open a shell in the build directory; see `Builder.shell`."""
        steps = _steps(job)

        def talk(session: Session) -> int:
            run_prepare(job, steps, self._in(session, job, steps))
            return session.interact(self._command(SHELL, job, steps))

        return self._enter(job, talk)

    def _enter(self, job: Job, act: Callable[[Session], _Result]) -> _Result:
        """Do something in the root; what it leaves in the build directory is kept, come what may.

        Hours of a build that failed or was interrupted are not lost: the next one goes on.
        """
        store = self.place.store
        kept = KeptBuild(store, job)
        with ExitStack() as held:
            held.callback(kept.forget_replaced)
            layers = (*self._root(job), *([kept.layer] if kept.layer else []))
            stack = held.enter_context(store.lease(layers))
            workspace = held.enter_context(store.workspace("artifact"))
            entered, empty = workspace / "entered", workspace / "empty"
            entered.mkdir()
            empty.mkdir()
            changes = workspace / "changes"
            with self.place.layer_runner.open(stack.trees, entered) as session:
                if kept.layer is None:
                    session.put(empty, WORK)
                _put_copies(session, job, kept)
                try:
                    result = act(session)
                except BaseException:
                    self._save(kept, session, changes)
                    raise
                session.capture(changes)
                kept.keep(changes)
        return result

    def _in(self, session: Session, job: Job, steps: Steps) -> Callable[[Step, OnOutput], Outcome]:
        """What runs a step in an entered root."""

        def run(step: Step, on_output: OnOutput) -> Outcome:
            return session.run(self._command(step.argv, job, steps), on_output=on_output)

        return run

    def _command(self, argv: tuple[str, ...], job: Job, steps: Steps) -> Command:
        binds, variables = _binds(job), {"FORCE_UNSAFE_CONFIGURE": "1"}  # it is root only in here
        if agent := agent_socket(job.package):
            binds = (*binds, Bind(source=agent, target=AGENT, writable=True))
            variables["SSH_AUTH_SOCK"] = str(AGENT)
        networked = job.package.runner.network
        return Command(
            argv=argv,
            env={**variables, **steps.environment},
            cwd=WORK,
            network=outward(self.place.config.runner) if networked else Network.NONE,
            limits=limits_of(job),
            binds=binds,
        )

    def _save(self, kept: KeptBuild, session: Session, changes: Path) -> None:
        """Keep what a failed build made; its own error tells more than one of keeping."""
        try:
            session.capture(changes)
            kept.keep(changes)
        except (LapstrakeError, OSError) as failed:
            self.place.progress.warning(f"what was built so far is not kept: {failed}")

    def _root(self, job: Job) -> tuple[Layer, ...]:
        """The layers of the branch and of the packages."""
        spec, place = job.package.runner, self.place
        name = BranchName(spec.branch or place.config.artifacts.branch)
        branch = enter_branch(place, name)
        if not spec.packages:
            return branch.layers
        from lapstrake.compose.root import compose_root  # many modules

        wanted = Wanted(relations=", ".join(spec.packages))
        return compose_root(place, branch, repository_of(place, name), wanted).stack

    def _deliver(self, job: Job, steps: Steps) -> Path:
        kept = KeptBuild(self.place.store, job)
        if kept.layer is None or kept.work is None:
            raise ArtifactError(f"{job.package.name}: its build directory was collected just now")
        with self.place.store.lease((kept.layer,)):
            return deliver(job, kept.work, steps.output, owned_by_us=os.geteuid() == 0)


def _steps(job: Job) -> Steps:
    return steps_of(job, with_copies(guest_places(job), copies_of(job)))


def _put_copies(session: Session, job: Job, kept: KeptBuild) -> None:
    """Put what steps change into the build directory, unless it is there."""
    for copy in copies_of(job):
        if kept.work is None or not (kept.work / copy.name).exists():
            for entry in copy.entries:
                session.put(entry, WORK / copy.name / entry.name)


def _binds(job: Job) -> tuple[Bind, ...]:
    """What a step sees of the host."""
    writable = {sources_folder(job): DOWNLOADS}
    for name, target in job.package.runner.volumes.items():
        volume = private_folder(job.folder / "volumes") / name
        volume.mkdir(exist_ok=True)
        writable[volume] = target
    seen = {job.package.folder: ENV / job.package.name}
    if job.platform is not None:
        seen[job.platform.folder] = PLATFORM
    seen |= {folder: ARTIFACTS / name for name, folder in job.inputs.items()}
    return (
        *(Bind(source=source.absolute(), target=target) for source, target in seen.items()),
        *(
            Bind(source=source.absolute(), target=target, writable=True)
            for source, target in writable.items()
        ),
    )
