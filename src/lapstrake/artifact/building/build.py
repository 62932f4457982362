"""Building the artifacts of a project: what they need first, and only what is stale."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.artifact.base import Package, Project
from lapstrake.artifact.builders.base import Builder, Job
from lapstrake.artifact.building.gate import Wish, refuse_unasked, wishes_of
from lapstrake.artifact.building.jobs import job_of, needed_by
from lapstrake.artifact.building.workbench import building, usable_builder
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.flow import get_each, terms_of
from lapstrake.artifact.getting.found import Got, Missing
from lapstrake.artifact.identity import Identity
from lapstrake.artifact.inputs.checksum import Inputs
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.keeping.status import Where, status_of
from lapstrake.formats.amounts import size_text
from lapstrake.host.supervise import free_bytes
from lapstrake.progress import Progress

_SCANT = 2 << 30
"""Bytes: with less of the disk left it is worth a word before hours are spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """What is to be built; a value that can be sent to another machine with the project.

    Attributes:
        names: packages; all of the project's that are stale when there are none.
        force: build those that were named, or the project itself, though they are not stale.
        builder: ``docker``, ``local`` or ``root``, instead of what the packages say.
        jobs: parallel jobs; the configuration's when ``None``.
        offline: ask no site.
    """

    names: tuple[str, ...] = ()
    force: bool = False
    builder: str = ""
    jobs: int | None = None
    offline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An artifact that is here.

    Attributes:
        package: its package.
        identity: what it is.
        path: its folder.
        archive: its archive, if it was built now.
        builder: what built it; empty when it did not have to be built.
        log: where the build's whole output is.
        seconds: how long it took.
    """

    package: Package
    identity: Identity
    path: Path
    archive: Path | None = None
    builder: str = ""
    log: Path | None = None
    seconds: float = 0.0


def build_artifacts(
    project: Project, request: BuildRequest, depot: Depot, progress: Progress
) -> tuple[Built, ...]:
    """Build artifacts, each behind those that it needs; what is here for its inputs is used.

    What was not asked for is looked for at its sites first, and built only if it is allowed. All
    that is neither here, nor there, nor allowed is told before anything is built.

    Args:
        project: the project.
        request: what, and how.
        depot: where artifacts are.
        progress: hears what is done.

    Returns:
        the artifacts that were wanted or needed, in the order of their building.

    Raises:
        StaleError: some would have to be built, and nobody asked for it.
        BuildError: a step failed.
        RunnerError: a builder cannot be used here.
        BusyError: one would be replaced, and somebody uses it.
        UsageError: a name is none of a package that is built.
    """
    if request.jobs is not None:
        build = replace(depot.config.build, jobs=request.jobs)
        depot = replace(depot, config=replace(depot.config, build=build))
    wishes = wishes_of(project, request.names)
    have = _have(project, wishes, request, depot, progress)
    done: dict[str, Built] = {}
    for wish in wishes:
        name = wish.package.name
        if name in have:
            got = have[name]
            done[name] = Built(package=wish.package, identity=got.identity, path=got.path)
        else:
            bench = _Bench(project, wish.package, request, depot, progress)
            done[name] = bench.build(done, force=request.force and wish.asked)
    return tuple(done.values())


def _have(
    project: Project,
    wishes: tuple[Wish, ...],
    request: BuildRequest,
    depot: Depot,
    progress: Progress,
) -> dict[str, Got]:
    """What does not have to be built, by name.

    Raises:
        StaleError: more than that would have to be built than is allowed.
    """
    sought = [
        wish
        for wish in wishes
        if not wish.asked or not (request.force or status_of(project, wish.package, depot).stale)
    ]
    terms = terms_of(depot, offline=request.offline)
    found = get_each(project, [wish.package for wish in sought], depot, terms, progress)
    refused = [
        each
        for wish, each in zip(sought, found, strict=True)
        if isinstance(each, Missing) and not wish.allowed
    ]
    if refused:
        raise refuse_unasked(refused, depot)
    return {each.package.name: each for each in found if isinstance(each, Got)}


@dataclass(frozen=True, slots=True)
class _Bench:
    """The building of one package."""

    project: Project
    package: Package
    request: BuildRequest
    depot: Depot
    progress: Progress

    def build(self, done: Mapping[str, Built], *, force: bool) -> Built:
        """Build it, unless somebody else did meanwhile."""
        builder = usable_builder(self.package, self.depot, self.progress, name=self.request.builder)
        identity = status_of(self.project, self.package, self.depot).identity
        needed = {
            each.name: done[each.name]
            for each in needed_by(self.project, self.package)
            if each.name in done
        }
        job = job_of(
            self.project, self.package, identity, self.depot, self.progress,
            inputs={name: built.path for name, built in needed.items()},
        )  # fmt: skip
        with ExitStack() as held:
            held.enter_context(building(job))
            cache = self._cache()
            for built in needed.values():
                held.enter_context(cache.use(built.identity))
            status = status_of(self.project, self.package, self.depot)
            if status.where is Where.KEPT and status.path and not force:
                return Built(package=self.package, identity=identity, path=status.path)
            return self._run(builder, job, status.inputs, force=force)

    def _run(self, builder: Builder, job: Job, inputs: Inputs, *, force: bool) -> Built:
        started = time.monotonic()
        self._look_at_disk(job)
        if force:  # hours later it would be of no use to know
            self._cache().check_unused(job.identity)
        self.progress.headline(f"building {job.identity.file_name} ({builder.name})")
        archive = builder.build(job)
        path = self._cache().put_archive(job.identity, archive, inputs=inputs, again=force)
        return Built(
            package=self.package,
            identity=job.identity,
            path=path,
            archive=archive,
            builder=builder.name,
            log=job.log,
            seconds=time.monotonic() - started,
        )

    def _cache(self) -> ArtifactCache:
        return ArtifactCache(self.depot.artifacts, on_wait=self.progress.headline)

    def _look_at_disk(self, job: Job) -> None:
        """Say it when there is little room: a full disk shows hours later."""
        free = free_bytes(job.folder)
        if free < _SCANT:
            self.progress.warning(
                f"the disk of {job.folder} has {size_text(free)} left, which may not do"
            )
