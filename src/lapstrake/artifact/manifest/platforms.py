"""What packages take over from the package of their platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lapstrake.artifact.base import Package, PackageType, Platform
from lapstrake.artifact.manifest.base import Manifest
from lapstrake.artifact.manifest.gather import place_of
from lapstrake.artifact.manifest.read import settled
from lapstrake.errors import ProjectError

_COMMANDS = ("prepare", "build", "archive", "environment", "output", "name")
_FITS = {
    PackageType.SYSTEM: PackageType.SYSTEM_PLATFORM,
    PackageType.TOOLCHAIN: PackageType.TOOLCHAIN_PLATFORM,
}


def with_platform(manifest: Manifest, packages: Mapping[str, Package]) -> Package:
    """The package of a manifest, its platform complete.

    Args:
        manifest: of a package.
        packages: all packages of the project, as their own manifests describe them.

    Raises:
        ProjectError: the platform's package is no platform or not there, or there are no commands.
    """
    package = packages[manifest.name]
    if package.platform is None or package.type.is_platform:
        return settled(package)
    machinery = _machinery(manifest, package, packages)
    platform = _joined(package.platform, machinery) if machinery else package.platform
    _check(manifest, platform)
    return settled(replace(package, platform=platform))


def _machinery(
    manifest: Manifest, package: Package, packages: Mapping[str, Package]
) -> Package | None:
    """The package of the platform: the named one, or the only platform that is depended on."""
    names = {each.name for each in package.dependencies}
    wanted = package.platform.package if package.platform else ""
    if not wanted:
        return _only_platform(manifest, package, [packages[name] for name in sorted(names)])
    if wanted not in names:
        raise _error(
            manifest,
            f"{wanted} is no dependency of {package.name}",
            key="package",
            resolution=f"Say where it comes from in [dependencies.{wanted}].",
        )
    if not packages[wanted].type.is_platform:
        kind = packages[wanted].type
        raise _error(manifest, f"{wanted} is of the type {kind}, and no platform", key="package")
    return packages[wanted]


def _only_platform(
    manifest: Manifest, package: Package, needed: Sequence[Package]
) -> Package | None:
    """The platform among what a package needs, if there is one."""
    found = [each for each in needed if each.type.is_platform]
    fitting = [each for each in found if each.type is _FITS.get(package.type, each.type)]
    if len(fitting) > 1:
        raise _error(
            manifest,
            f"{package.name} depends on several platforms: "
            f"{', '.join(each.name for each in fitting)}",
            resolution="Name one of them as platform.package.",
        )
    return fitting[0] if fitting else None


def _joined(own: Platform, machinery: Package) -> Platform:
    """A package's platform, with what only the platform's package says."""
    theirs = machinery.platform or Platform(name="")
    taken = {key: getattr(theirs, key) for key in _COMMANDS if not getattr(own, key)}
    return replace(own, package=machinery.name, **taken)


def _check(manifest: Manifest, platform: Platform) -> None:
    """Refuse what could never build anything."""
    if platform.name != "buildroot":
        if not (platform.build or platform.archive):
            raise _error(
                manifest,
                "there is nothing to run: no command build or archive",
                resolution="Give commands, or depend on a platform that has some.",
            )
    elif not platform.defconfig:
        raise _error(manifest, "buildroot needs a defconfig")
    elif not platform.package:
        raise _error(
            manifest,
            "buildroot needs the package that brings it",
            resolution="Depend on a system_platform, and name it as platform.package.",
        )


def _error(
    manifest: Manifest, problem: str, *, key: str = "", resolution: str = ""
) -> ProjectError:
    location = ("platform", key) if key else ("platform",)
    return ProjectError(f"{place_of(manifest, *location)}: {problem}", resolution=resolution)
