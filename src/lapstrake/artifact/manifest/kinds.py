"""What a ``lapstrake.toml`` describes: a package, a project, or a bundle, which is none of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lapstrake.errors import ProjectError
from lapstrake.host.toml_file import TomlFile

_PLATFORMS = ("system_platform", "toolchain_platform")
_OF_ARTIFACTS = frozenset({"runner", "site", "digests"})
_ONLY_BUNDLES = frozenset({"source", "steps", "output", "depends", "results", "needs"})


def check_kind(toml: TomlFile, document: Mapping[str, Any]) -> None:
    """Refuse bundles, and tables that nothing would ever look at.

    Raises:
        ProjectError: it is neither a package nor a project, it is both, or it is a platform with
            tables of what is built.
    """
    package = document.get("package")
    if "project" in document:
        if "package" in document:
            raise ProjectError(
                f"{toml.where(('project',))}: a file has either a project or a package",
                resolution="Give the package a folder of its own, and make it a dependency.",
            )
    elif package is None:
        raise ProjectError(
            f"{toml.path}: there is neither [package] nor [project]",
            resolution="The format is described by docs/reference/packages.md.",
        )
    elif isinstance(package, dict) and "type" not in package:
        raise _without_type(toml, document)
    elif isinstance(package, dict) and package["type"] in _PLATFORMS:
        for key in sorted(_OF_ARTIFACTS.intersection(document)):
            raise ProjectError(
                f"{toml.where((key,))}: a {package['type']} is not built, it has no artifact",
                resolution=f"Say it in the packages that are built with {package.get('name')}.",
            )


def _without_type(toml: TomlFile, document: Mapping[str, Any]) -> ProjectError:
    where = toml.where(("package",))
    if _ONLY_BUNDLES.isdisjoint(document):
        return ProjectError(
            f"{where}: the key package.type is missing",
            resolution='Add `type = "system"`, "toolchain", "package", "system_platform" or '
            '"toolchain_platform". Without a type the folder is a bundle, see `lapstrake build`.',
        )
    return ProjectError(
        f"{where}: this is a bundle, not a package of an artifact",
        resolution="Build it with `lapstrake build`.",
    )


def refuse_zeros(toml: TomlFile, value: object, location: tuple[str | int, ...] = ()) -> None:
    """Refuse texts with a zero character: no program takes one, and no path has one.

    Raises:
        ProjectError: there is one; the brief names its key.
    """
    if isinstance(value, str) and "\0" in value:
        raise ProjectError(f"{toml.where(location)}: the text has a zero character in it")
    if isinstance(value, list):
        for position, item in enumerate(value):
            refuse_zeros(toml, item, (*location, position))
    elif isinstance(value, dict):
        for key, item in value.items():
            refuse_zeros(toml, key, location)
            refuse_zeros(toml, item, (*location, key))
