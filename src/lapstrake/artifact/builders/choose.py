"""Which builder makes an artifact."""

from __future__ import annotations

import sys

from lapstrake.artifact.base import Package, PackageType
from lapstrake.artifact.builders.base import Builder
from lapstrake.artifact.depot import Depot
from lapstrake.errors import UsageError
from lapstrake.progress import Progress

NAMES = ("docker", "local", "root")
"""The builders there are."""


def choose_builder(
    package: Package, depot: Depot, progress: Progress, *, name: str = ""
) -> Builder:
    """Get the builder of a package; whether this host can use it is not looked at.

    Args:
        package: what is built.
        depot: whose configuration it uses.
        progress: hears what it does besides the steps.
        name: the builder; if it is empty, `default_name` has it.

    Raises:
        UsageError: there is no such builder.
    """
    chosen = name or default_name(package)
    if chosen == "local":
        from lapstrake.artifact.builders.local import LocalBuilder

        return LocalBuilder()
    if chosen == "root":
        return _root_builder(depot, progress)
    if chosen == "docker":
        return _docker_builder(depot)
    raise UsageError(
        f"{package.name}: there is no builder {chosen!r}",
        resolution=f"Choose one of {', '.join(NAMES)}.",
    )


def default_name(package: Package, *, host: str = sys.platform) -> str:
    """What the package asks for; ``docker`` when it names an image; else by its type.

    A system is built on a Linux host itself, and in a container on others, as with Nerves;
    everything else on the host.

    Args:
        package: the package.
        host: `sys.platform`.
    """
    runner = package.runner
    if runner.name:
        return runner.name
    if runner.dockerfile or runner.tag or runner.engine:
        return "docker"
    if runner.packages or runner.branch:
        return "root"
    if package.type is PackageType.SYSTEM and host != "linux":
        return "docker"
    return "local"


def _docker_builder(depot: Depot) -> Builder:
    from lapstrake.artifact.builders.docker import DockerBuilder

    config = depot.config
    return DockerBuilder(
        config.runner.docker,
        options=config.runner.docker_options,
        registry=config.artifacts.images,
        offline=config.artifacts.offline,
    )


def _root_builder(depot: Depot, progress: Progress) -> Builder:
    """The builder of roots, after removing what killed runs left."""
    from lapstrake.artifact.builders.root import RootBuilder
    from lapstrake.host import cgroup
    from lapstrake.place.workplace import Workplace
    from lapstrake.runner.choose import choose

    settings = depot.config.runner
    place = Workplace(
        config=depot.config, runner=choose(settings.name.value, settings), progress=progress
    )
    place.store.recover()
    cgroup.sweep()
    return RootBuilder(place)
