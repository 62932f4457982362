"""Read the ``lapstrake.toml`` of a package or a project."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import cache
from pathlib import Path

from lapstrake.artifact.base import Origin, Package
from lapstrake.artifact.manifest.base import FILE_NAME, Manifest
from lapstrake.artifact.manifest.kinds import check_kind, refuse_zeros
from lapstrake.errors import ProjectError
from lapstrake.host.files import read_regular
from lapstrake.host.record import reader_version, remembered
from lapstrake.host.toml_file import TomlFile, read_toml

_LONGEST_VERSION_FILE = 4096  # bytes
_DESCRIBED = "packages.md"
_NERVES = {
    "artifact_sites": "[[site]]",
    "artifact_url": "[[site]]",
    "build_runner": "[runner] name",
    "build_runner_config": "[runner]",
    "build_runner_opts": "[runner] make_args",
    "compile": "build",
    "platform_config": "[platform]",
    "site": "[[site]]",
    "sites": "[[site]]",
    "target_tuple": "target",
}
"""Keys that people know from Nerves, and what they are called here."""


def read_package(
    folder: Path, *, origin: Origin = Origin.PROJECT, records: Path | None = None
) -> Package:
    """Read a package; what it depends on is not looked at.

    Args:
        folder: where its ``lapstrake.toml`` is.
        origin: how it came into the project.
        records: see `read_manifest`.

    Raises:
        ProjectError: see `read_manifest`; or it is a project.
    """
    manifest = read_manifest(folder, records=records)
    if manifest.package is None:
        raise ProjectError(
            f"{manifest.file}: this is a project, not a package",
            resolution="Projects have no artifacts; depend on the packages that it depends on.",
        )
    return settled(replace(manifest.package, origin=origin))


def settled(package: Package) -> Package:
    """The package, with what holds where neither it nor its platform's package says anything."""
    if package.platform is None or package.platform.name:
        return package
    return replace(package, platform=replace(package.platform, name="script"))


def read_manifest(
    folder: Path, *, records: Path | None = None, inside: Path | None = None
) -> Manifest:
    """Read a ``lapstrake.toml`` of a package or a project, and check the files it names.

    Args:
        folder: where it is.
        records: a folder where manifests are remembered that were read: the second time is fast.
        inside: for what was fetched: the folder that no file it names may be out of.

    Raises:
        ProjectError: the file is missing, wrong, or describes a bundle; a file that it names is
            missing. The brief names file, line and key.
    """
    file = folder / FILE_NAME
    if _leads_out(file, inside):
        raise ProjectError(f"{file} leads out of what was fetched")
    toml = read_toml(file, error=ProjectError)
    if records is None:
        return _completed(_understood(toml), toml, inside)
    inputs = {
        "path": bytes(toml.path),
        "home": os.environ.get("HOME", "").encode(),
        "text": toml.text.encode(),
        "reader": _reader_version(),
    }
    manifest = remembered(Manifest, records, inputs=inputs, read=lambda: _understood(toml))
    return _completed(manifest, toml, inside)


@cache
def _reader_version() -> bytes:
    return reader_version(Path(__file__).parent, Path(__file__).parents[1])


def _understood(toml: TomlFile) -> Manifest:
    document = toml.parse(error=ProjectError)
    check_kind(toml, document)
    refuse_zeros(toml, document)

    from pydantic import ValidationError

    from lapstrake.artifact.manifest.model import PackageManifest, ProjectManifest
    from lapstrake.artifact.manifest.values import package_manifest, project_manifest
    from lapstrake.config.findings import as_error

    model = ProjectManifest if "project" in document else PackageManifest
    try:
        if "project" in document:
            return project_manifest(ProjectManifest.model_validate(document), toml)
        return package_manifest(PackageManifest.model_validate(document), toml)
    except ValidationError as wrong:
        raise as_error(
            wrong, file=toml.path, text=toml.text, model=model, kind=ProjectError,
            described=_DESCRIBED, elsewhere=_NERVES,
        ) from wrong  # fmt: skip


def _completed(manifest: Manifest, toml: TomlFile, inside: Path | None) -> Manifest:
    """Read the version's file; see that the files are there without which no build can begin."""
    package = manifest.package
    if package is None:
        return manifest
    needed = [(package.runner.dockerfile, ("runner", "docker"))]
    if package.platform:
        needed.append((package.platform.defconfig, ("platform", "defconfig")))
    for name, location in needed:
        file = manifest.folder / name
        if name and (not file.is_file() or _leads_out(file, inside)):
            raise ProjectError(f"{toml.where(location)}: there is no file {name!r} in the package")
    if not manifest.version_file:
        return manifest
    version = _version(manifest.folder / manifest.version_file, toml, inside)
    return replace(manifest, version=version, package=replace(package, version=version))


def _leads_out(file: Path, inside: Path | None) -> bool:
    """Whether a link leads out of what was fetched: it is not for others to name our files."""
    return inside is not None and not file.resolve().is_relative_to(inside.resolve())


def _version(file: Path, toml: TomlFile, inside: Path | None) -> str:
    location = ("package", "version_file")
    if _leads_out(file, inside):
        raise ProjectError(f"{toml.where(location)}: {file} leads out of what was fetched")
    try:
        text = read_regular(file, limit=_LONGEST_VERSION_FILE).decode("utf-8")
    except OSError as trouble:
        raise ProjectError(f"{toml.where(location)}: {file}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        raise ProjectError(f"{toml.where(location)}: {file}: not UTF-8") from trouble
    version = text.strip().partition("\n")[0].strip()
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.+~_-]{0,99}", version):
        raise ProjectError(
            f"{toml.where(location)}: {file}:1: {version[:100]!r} cannot be a version",
            resolution="Use letters, digits and . + ~ _ -, first a letter or digit, at most 100.",
        )
    return version
