"""The toolchain that a build is told to use, by its folder or its package's name, as a layer."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.artifact.depot import Depot
from lapstrake.artifact.using.layered import artifact_layer, folder_layer
from lapstrake.errors import ArtifactError, ToolchainError
from lapstrake.layer.store import Layer
from lapstrake.names import Arch, GuestPath
from lapstrake.place.workplace import Workplace
from lapstrake.toolchain.base import without_ours
from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.look import look_at
from lapstrake.toolchain.targets import parse_target

_AT = GuestPath("/opt/lapstrake/toolchain")


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainLayer:
    """A toolchain as builds have it.

    Attributes:
        layer: it, as a layer over a branch.
        facts: its compiler, with the paths of the root.
    """

    layer: Layer
    facts: Facts


def toolchain_layer(
    place: Workplace, text: str, *, cwd: Path, own: Arch, target: Arch
) -> ToolchainLayer:
    """Find a toolchain, and lay it over a branch.

    Args:
        place: where.
        text: a folder, or the name of a package of the project that `cwd` is in.
        cwd: what a relative path is relative to.
        own: the root's architecture, for which the toolchain's programs are.
        target: what is compiled for.

    Raises:
        ToolchainError: it has no compiler, or one for another machine.
        ArtifactError: there is no such folder; or the package's artifact is not here.
        ProjectError: `text` is no folder, and there is no project.
        UsageError: the project has no such package.
    """
    folder = cwd / text
    if folder.is_dir():
        layer = folder_layer(place, folder, _AT)
    elif "/" in text:
        raise ArtifactError(f"{folder} is no folder", resolution="Unpack the toolchain first.")
    else:
        folder, layer = _of_project(place, text, cwd)
    return ToolchainLayer(layer=layer, facts=_facts(folder, own, target))


def _of_project(place: Workplace, name: str, cwd: Path) -> tuple[Path, Layer]:
    """The artifact of a project's package."""
    from lapstrake.artifact.getting.flow import choose
    from lapstrake.artifact.keeping.cache import ArtifactCache
    from lapstrake.artifact.keeping.status import Where, status_of
    from lapstrake.artifact.manifest.project import read_project

    depot = Depot(config=place.config, environment=without_ours(os.environ))
    project = read_project(cwd, depot=depot, progress=place.progress)
    (package,) = choose(project, (name,))
    status = status_of(project, package, depot)
    if status.path is None or status.where not in (Where.OVERRIDE, Where.KEPT):
        raise ArtifactError(
            f"the artifact of {name} is not here: {status.reason}",
            resolution=f"Get it: lapstrake artifact get {name}",
        )
    if status.where is Where.OVERRIDE or status.path.is_symlink():  # somebody may work on it
        return status.path, folder_layer(place, status.path, _AT)
    with ArtifactCache(depot.artifacts, on_wait=place.progress.headline).use(status.identity):
        return status.path, artifact_layer(place, status.identity, status.path, _AT)


def _facts(folder: Path, own: Arch, target: Arch) -> Facts:
    """What the toolchain has, with the paths that it has in a root."""
    machine = parse_target(target)
    found = look_at(None, folder, environ={}, target=machine.text)
    if found.target.debian is not target:
        raise ToolchainError(
            f"{found.prefix}-gcc compiles for {found.target.text}, which is not {target}",
            resolution=f"Packages of {target} need a compiler for {machine.text}.",
        )
    return replace(
        found,
        build=parse_target(own),
        prefix=_AT / found.prefix.relative_to(folder),
        path=(_AT / "bin",),
        toolchain=_AT,
        emulator=None,
    )
