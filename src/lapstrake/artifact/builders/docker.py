"""The builder ``docker``: steps in containers of Docker Engine or podman.

Each step has a container of its own; the build directory is a volume that stays. What the steps
see is Nerves' own: see `lapstrake.artifact.builders.base`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.deliver import deliver
from lapstrake.artifact.builders.docker_container import User, plan_container
from lapstrake.artifact.builders.docker_steps import Containers
from lapstrake.artifact.builders.image import have_image, wanted_image
from lapstrake.artifact.builders.places import guest_places
from lapstrake.artifact.builders.running import SHELL, run_archive, run_build, run_prepare
from lapstrake.artifact.builders.steps import Steps, steps_of
from lapstrake.artifact.builders.volume import (
    build_volume,
    give_id,
    make_volumes,
    read_id,
    remove_volumes,
    volumes_of,
)
from lapstrake.errors import ArtifactError
from lapstrake.host.engine import Engine, find_engine
from lapstrake.runner.base import Lack
from lapstrake.runner.docker import DockerRunner, remove_leftovers


class DockerBuilder:
    """Steps in containers.

    Args:
        program: docker's or podman's program; found when empty. A package may name its own.
        options: more options for each container.
        registry: where the platforms' own images are; empty for nowhere.
        offline: pull nothing.
    """

    name = "docker"

    def __init__(
        self,
        program: str = "",
        *,
        options: Sequence[str] = (),
        registry: str = "",
        offline: bool = False,
    ) -> None:
        self.program = program
        self.options = tuple(options)
        self.registry = registry
        self.offline = offline

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for containers."""
        return tuple(lack for lack in DockerRunner(self.program).probe() if lack.blocks)

    def build(self, job: Job) -> Path:
        """Build; see `Builder.build`."""
        with self._opened(job) as (steps, containers):
            run_build(job, steps, containers.run)
            return self._taken(job, steps, containers)

    def archive(self, job: Job) -> Path:
        """Archive what was built; see `Builder.archive`."""
        engine = self._engine(job)
        identifier = read_id(job.folder)
        if not identifier or engine.inspect("volume", build_volume(job, identifier)) is None:
            raise ArtifactError(
                f"{job.package.name} was never built here",
                resolution=f"Build it first: lapstrake artifact build {job.package.name}",
            )
        with self._opened(job) as (steps, containers):
            run_archive(job, steps, containers.run)
            return self._taken(job, steps, containers)

    def clean(self, job: Job) -> None:
        """Remove the volumes and the id; see `Builder.clean`."""
        if read_id(job.folder):
            engine = self._engine(job)
            remove_leftovers(engine)
            remove_volumes(engine, job)

    def shell(self, job: Job) -> int:
        """Open a shell in the build directory; see `Builder.shell`."""
        with self._opened(job) as (steps, containers):
            run_prepare(job, steps, containers.run)
            return containers.interact(SHELL)

    def _engine(self, job: Job) -> Engine:
        return find_engine(job.package.runner.engine or self.program)

    @contextmanager
    def _opened(self, job: Job) -> Iterator[tuple[Steps, Containers]]:
        """Everything that a step needs: engine, image, volumes; no container stays behind."""
        steps = steps_of(job, guest_places(job))
        wanted = wanted_image(job, self.registry)
        engine = self._engine(job)
        remove_leftovers(engine)
        facts = have_image(engine, job, wanted, offline=self.offline)
        volumes = volumes_of(job, give_id(job.folder))
        user = User.caller()
        plan = plan_container(
            engine, job, image=wanted.tag, facts=facts, volumes=volumes,
            variables=steps.environment, user=user, more=self.options,
        )  # fmt: skip
        copies = make_volumes(engine, job, volumes)
        containers = Containers(engine, job, plan, volumes=volumes, copies=copies, user=user)
        containers.claim()
        try:
            yield steps, containers
        finally:
            containers.close()

    def _taken(self, job: Job, steps: Steps, containers: Containers) -> Path:
        """The output, out of the volume and into the folder of downloads."""
        with tempfile.TemporaryDirectory(prefix="output-", dir=job.folder) as folder:
            containers.fetch(steps.output, Path(folder))
            return deliver(job, Path(folder), steps.output)
