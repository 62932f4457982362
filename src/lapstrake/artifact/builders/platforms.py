"""The kinds of platforms there are: which commands each makes of a package."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from lapstrake.artifact.base import Package, Platform
from lapstrake.artifact.builders.places import Places
from lapstrake.artifact.identity import Identity
from lapstrake.errors import ProjectError


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """Texts for ``sh -e``; an empty one does nothing."""

    prepare: str
    build: str
    archive: str


def commands_of(package: Package, places: Places, identity: Identity) -> Commands:
    """What a package's platform runs.

    Args:
        package: what is built; it has a platform.
        places: where things are in the builder.
        identity: what the archive is to be called.

    Raises:
        ProjectError: the platform is unknown, or lacks what it needs.
    """
    platform = package.platform
    if platform is None:
        raise ProjectError(
            f"{package.name} says nothing of how it is built",
            details=f"in {package.file}" if package.file else "",
            resolution="Give it a [platform], or get its artifact from a site.",
        )
    if platform.name not in _KINDS:
        known = ", ".join(_KINDS)
        raise ProjectError(
            f"{package.file or package.name}: platform.name: {platform.name!r} is none of {known}"
        )
    return _KINDS[platform.name](package, platform, places, identity)


def _script(
    _package: Package, platform: Platform, _places: Places, _identity: Identity
) -> Commands:
    return Commands(prepare=platform.prepare, build=platform.build, archive=platform.archive)


def _buildroot(
    package: Package, platform: Platform, places: Places, identity: Identity
) -> Commands:
    """Buildroot as Nerves drives it: an out-of-tree build whose folder has a Makefile.

    A package's own commands come instead of the built-in ones.
    """
    if not platform.defconfig:
        raise ProjectError(
            f"{package.file or package.name}: platform.defconfig is missing",
            resolution="Name the defconfig that Buildroot builds, relative to the package.",
        )
    create = shlex.join(
        (
            str(PurePosixPath(places.platform, "create-build.sh")),
            str(PurePosixPath(places.package, platform.defconfig)),
            places.work,
        )
    )
    return Commands(
        prepare=platform.prepare or create,
        build=platform.build or 'make "$@"',
        archive=platform.archive
        or f"make system NERVES_ARTIFACT_NAME={shlex.quote(identity.download_name)}",
    )


_KINDS: Mapping[str, Callable[[Package, Platform, Places, Identity], Commands]] = {
    "script": _script,
    "buildroot": _buildroot,
}
