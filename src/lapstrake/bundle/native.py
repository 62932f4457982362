"""Bundles of our own format: a folder with ``lapstrake.toml``.

The format is meant to be read by people: one table says what is built, one what is fetched, one
which commands run, one what comes out. `lapstrake.bundle.schema` publishes its JSON schema.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat, Needs
from lapstrake.bundle.debian_relations import package_names
from lapstrake.bundle.native_lines import Location, line_of
from lapstrake.bundle.native_outputs import DEFAULT_MAINTAINER, output_files, output_tables
from lapstrake.bundle.native_presets import PRESETS
from lapstrake.bundle.native_sources import source_specs, substitute
from lapstrake.bundle.native_steps import step_scripts
from lapstrake.errors import BundleError
from lapstrake.host.files import read_regular
from lapstrake.names import Arch

if TYPE_CHECKING:
    from lapstrake.bundle.native_model import NativeBundle

_LONGEST = 16 << 20  # bytes
FILE_NAME = "lapstrake.toml"
"""The file that makes a folder a native bundle."""

_TOML_PLACE = re.compile(r"\s*\(at line (\d+), column \d+\)")


def read(path: Path, *, arch: Arch, maintainer: str = DEFAULT_MAINTAINER) -> Bundle:
    """Read a native bundle.

    Args:
        path: the folder, or its ``lapstrake.toml``.
        arch: the architecture to build for.
        maintainer: for packages whose bundle names none.

    Raises:
        BundleError: the file is missing, no TOML, or wrong; the brief names file, line and key.
    """
    folder = path.parent if path.name == FILE_NAME else path
    file = folder / FILE_NAME
    text = _read_text(file)
    model = _validate(text, file)
    version = _version(model)
    try:
        sources = source_specs(model, origin=FILE_NAME)
        subdir = _subdir(model)
    except ValueError as wrong:
        problem, location = wrong.args
        raise _error(file, text, location, problem) from wrong
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
        files=_plan(model, text=text, version=version, arch=arch, maintainer=maintainer),
        needs=Needs(
            network=model.needs.network,
            secrets=tuple(model.needs.secrets),
            memory=model.needs.memory,
            disk=model.needs.disk,
            seconds=model.needs.time,
        ),
        makes_packages=bool(outputs),
    )


def _read_text(file: Path) -> str:
    try:
        return read_regular(file, limit=_LONGEST).decode("utf-8").replace("\r\n", "\n")
    except FileNotFoundError as missing:
        raise BundleError(f"{file} does not exist") from missing
    except OSError as trouble:
        raise BundleError(f"{file}: {trouble.strerror}") from trouble
    except UnicodeDecodeError as trouble:
        line = trouble.object[: trouble.start].count(b"\n") + 1
        raise BundleError(f"{file}:{line}: not UTF-8", resolution="Save it as UTF-8.") from trouble


def _validate(text: str, file: Path) -> NativeBundle:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        place = _TOML_PLACE.search(str(wrong))
        line = int(place[1]) if place else text.count("\n") + 1
        problem = _TOML_PLACE.sub("", str(wrong)).removesuffix(" (at end of document)")
        raise BundleError(f"{file}:{line}: {problem}") from wrong

    from pydantic import ValidationError

    from lapstrake.bundle.native_errors import as_bundle_error
    from lapstrake.bundle.native_model import NativeBundle

    try:
        return NativeBundle.model_validate(document)
    except ValidationError as wrong:
        raise as_bundle_error(wrong, file=file, text=text, model=NativeBundle) from wrong


def _plan(
    model: NativeBundle, *, text: str, version: str, arch: Arch, maintainer: str
) -> Mapping[str, bytes]:
    files = dict(step_scripts(model, text=text))
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


def _error(file: Path, text: str, location: Location, problem: str) -> BundleError:
    key = ".".join(str(part) for part in location if isinstance(part, str))
    return BundleError(f"{file}:{line_of(text, location)}: {key}: {problem}")
