"""Bundles of our own format: a folder with ``lapstrake.toml``.

The format is meant to be read by people: one table says what is built, one what is fetched, one
which commands run, one what comes out. docs/reference has its JSON schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat, Needs
from lapstrake.bundle.debian_relations import package_names
from lapstrake.bundle.native_outputs import DEFAULT_MAINTAINER, output_files, output_tables
from lapstrake.bundle.native_presets import PRESETS
from lapstrake.bundle.native_sources import source_specs, substitute
from lapstrake.bundle.native_steps import step_scripts
from lapstrake.errors import BundleError
from lapstrake.host.toml_file import TomlFile, read_toml
from lapstrake.names import Arch

if TYPE_CHECKING:
    from lapstrake.bundle.native_model import NativeBundle

FILE_NAME = "lapstrake.toml"
"""The file that makes a folder a native bundle."""


def read(
    path: Path, *, arch: Arch, maintainer: str = DEFAULT_MAINTAINER, crossed: bool = False
) -> Bundle:
    """Read a native bundle.

    Args:
        path: the folder, or its ``lapstrake.toml``.
        arch: the architecture to build for.
        maintainer: for packages whose bundle names none.
        crossed: whether the root is of another architecture: then no step ``check`` is run, for
            which the programs that were built would have to run.

    Raises:
        BundleError: the file is missing, no TOML, or wrong; the brief names file, line and key.
    """
    folder = path.parent if path.name == FILE_NAME else path
    file = folder / FILE_NAME
    toml = read_toml(file, error=BundleError)
    model = _validate(toml)
    if crossed:
        _refuse_crossing(model, toml, arch)
    version = _version(model)
    try:
        sources = source_specs(model, origin=FILE_NAME)
        subdir = _subdir(model)
    except ValueError as wrong:
        problem, location = wrong.args
        raise BundleError(f"{toml.where(location)}: {problem}") from wrong
    outputs = output_tables(model)
    return Bundle(
        name=model.package.name,
        version=version,
        upstream_version=model.package.version,
        format=BundleFormat.NATIVE,
        path=folder,
        sources=sources,
        subdir=subdir,
        build_depends=_build_dependencies(model),
        provides=tuple(output.name or model.package.name for output in outputs),
        runtime_depends=_runtime_depends(model),
        driver="native.sh",
        environment={"LAPSTRAKE_PACKAGE": model.package.name, "LAPSTRAKE_VERSION": version},
        files=_plan(
            model,
            text=toml.text,
            version=version,
            arch=arch,
            maintainer=maintainer,
            crossed=crossed,
        ),
        needs=Needs(
            network=model.needs.network,
            secrets=tuple(model.needs.secrets),
            memory=model.needs.memory,
            disk=model.needs.disk,
            seconds=model.needs.time,
        ),
        makes_packages=bool(outputs),
    )


def _validate(toml: TomlFile) -> NativeBundle:
    document = toml.parse(error=BundleError)
    _refuse_other_files(toml, document)

    from pydantic import ValidationError

    from lapstrake.bundle.native_model import NativeBundle
    from lapstrake.config.findings import as_error

    try:
        return NativeBundle.model_validate(document)
    except ValidationError as wrong:
        raise as_error(
            wrong, file=toml.path, text=toml.text, model=NativeBundle, kind=BundleError,
            described="lapstrake.toml.schema.json",
        ) from wrong  # fmt: skip


def _refuse_crossing(model: NativeBundle, toml: TomlFile, arch: Arch) -> None:
    """Refuse what cannot be cross-compiled, or has no need to be.

    Raises:
        BundleError: the preset has no way to, or all packages are for every architecture.
    """
    use = model.steps.use
    if use and not PRESETS[use].crosses:
        raise BundleError(
            f"{toml.where(('steps', 'use'))}: {use!r} does not cross-compile for {arch}",
            resolution="Write the steps yourself, or build it without --target.",
        )
    kinds = {output.architecture or model.package.architecture for output in output_tables(model)}
    if kinds == {"all"}:
        raise BundleError(
            f"{toml.where(('package', 'architecture'))}: the packages are for all architectures, "
            f"not for {arch}",
            resolution="Build it without --target.",
        )


def _refuse_other_files(toml: TomlFile, document: Mapping[str, object]) -> None:
    """Say what it is instead, when a ``lapstrake.toml`` describes no bundle."""
    package = document.get("package")
    if isinstance(package, dict) and "type" in package:
        raise BundleError(
            f"{toml.where(('package', 'type'))}: this is a package of an artifact, not a bundle",
            resolution="Build it with `lapstrake artifact build`.",
        )
    if "project" in document:
        raise BundleError(
            f"{toml.where(('project',))}: this is a project, not a bundle",
            resolution="Get what it needs with `lapstrake artifact get`, or `artifact build`.",
        )


def _plan(
    model: NativeBundle, *, text: str, version: str, arch: Arch, maintainer: str, crossed: bool
) -> Mapping[str, bytes]:
    files = dict(step_scripts(model, text=text, crossed=crossed))
    files.update(output_files(model, version=version, arch=arch, maintainer=maintainer))
    if model.results.files:
        files["results"] = "".join(f"{glob}\n" for glob in model.results.files).encode()
    return files


def _version(model: NativeBundle) -> str:
    package = model.package
    epoch = f"{package.epoch}:" if package.epoch else ""
    revision = f"-{package.revision}" if package.revision not in ("", "0") else ""
    return f"{epoch}{package.version}{revision}"


def _subdir(model: NativeBundle) -> str:
    variables = {"name": model.package.name, "version": model.package.version}
    try:
        return substitute(model.steps.directory or "", variables)
    except ValueError as wrong:
        raise ValueError(str(wrong), ("steps", "directory")) from wrong


def _build_dependencies(model: NativeBundle) -> BuildDependencies:
    preset = PRESETS[model.steps.use] if model.steps.use else None
    relations = [*model.depends.build, *(preset.build_depends if preset else ())]
    toolchain = model.depends.toolchain
    if toolchain is None:
        toolchain = preset is not None and preset.toolchain
    return BuildDependencies(
        depends=tuple(dict.fromkeys(relations)),
        conflicts=tuple(model.depends.build_conflicts),
        essential=toolchain,
    )


def _runtime_depends(model: NativeBundle) -> tuple[str, ...]:
    outputs = output_tables(model)
    own = {output.name or model.package.name for output in outputs}
    relations = [*model.depends.run, *(item for output in outputs for item in output.depends)]
    return tuple(name for name in package_names(tuple(relations)) if name not in own)
