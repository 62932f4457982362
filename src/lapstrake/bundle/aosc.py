"""AOSC's bundles: a ``spec`` and ``autobuild/``, or numbered folders for several packages.

Everything is read on the host without running any of it (`lapstrake.formats.shell`); the build
scripts themselves run inside the root, by ``toolbox/aosc.sh``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lapstrake.bundle.aosc_arch import (
    NotForArch,
    aosc_name,
    check_machine,
    from_aosc_name,
    groups_of,
    misses_an_operator,
)
from lapstrake.bundle.aosc_file import AssignmentFile, EvaluateInRoot, read_file
from lapstrake.bundle.aosc_names import DEFINES, SPEC, near_misses
from lapstrake.bundle.aosc_relations import names_in, relations
from lapstrake.bundle.aosc_sources import read_sources, unpinned_branch
from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat
from lapstrake.errors import BundleError
from lapstrake.formats.shell import Value
from lapstrake.names import Arch, package_name

__all__ = ["NotForArch", "aosc_name", "from_aosc_name", "read", "sub_packages"]

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~-]*\Z")
_RELEASE = re.compile(r"[A-Za-z0-9.+~]+\Z")
_NUMBERED = re.compile(r"[0-9]{2}-[A-Za-z0-9][A-Za-z0-9.+_-]*\Z")
_REQUIRED = ("PKGNAME", "PKGSEC", "PKGDES")
_RUNTIME = ("PKGDEP", "PKGPRDEP")
_AT_BUILD = ("BUILDDEP", *_RUNTIME, "TESTDEP")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Package:
    """One package of a bundle: its defines, checked."""

    name: str
    epoch: str
    template: str
    defines: AssignmentFile


def read(
    path: Path,
    *,
    arch: Arch,
    evaluate_in_root: EvaluateInRoot | None = None,
    dependency_names: Mapping[str, str | None] | None = None,
    templates: Collection[str] = (),
) -> Bundle:
    """Read an AOSC bundle.

    Args:
        path: the bundle's folder, with ``spec`` in it.
        arch: the architecture to build for.
        evaluate_in_root: evaluates a file that only a shell can read; without it such a file is
            refused.
        dependency_names: what AOSC's packages are called in the root, see
            `lapstrake.bundle.aosc_relations.relations`; nothing or ``None`` drops a dependency.
        templates: those that there are; any will do when not given.

    Raises:
        BundleError: something is missing or wrong; the brief names file and line.
        NotForArch: the bundle is not for this architecture.
        NeedsShell: a file needs a shell, and `evaluate_in_root` is ``None``.
    """
    names = {} if dependency_names is None else dependency_names
    spec = _read_spec(path, aosc_name(arch), evaluate_in_root)
    with spec.explaining():
        version, release = _read_version(spec)
    packages = _read_packages(path, spec, version, release, evaluate_in_root)
    _check_requirements(spec)
    for package in packages:
        _check_template(package, templates)
    name = packages[0].name if len(packages) == 1 else path.name
    with spec.explaining():
        sources = read_sources(spec, name=name, version=version)
    provides = _provides(packages)
    return Bundle(
        name=name,
        version=_full_version(packages[0].epoch, version, release),
        upstream_version=version,
        format=BundleFormat.AOSC,
        path=path,
        sources=sources,
        subdir=_subdir(spec),
        build_depends=_build_depends(packages, names, provides),
        provides=provides,
        runtime_depends=_runtime_depends(packages, names, provides),
        driver="aosc.sh",
        environment=_environment(packages, version, release, names),
        warnings=_warnings(spec, packages),
    )


def sub_packages(path: Path) -> tuple[str, ...]:
    """The folders with a ``defines`` each, in building order: ``autobuild``, or ``NN-name`` ones.

    Raises:
        BundleError: there is none, or a folder with a ``defines`` is not called ``NN-name``.
    """
    if (path / "autobuild").is_dir():
        return ("autobuild",)
    folders = sorted(entry.parent.name for entry in path.glob("*/defines"))
    for folder in folders:
        if not _NUMBERED.match(folder):
            raise BundleError(
                f"{path}: {folder}/ has a defines, but is not called NN-name",
                resolution="Call it by two digits, a dash and a package's name: 01-runtime.",
            )
    if not folders:
        raise BundleError(
            f"{path}: there is neither autobuild/defines nor NN-name/defines",
            resolution="An AOSC bundle describes its packages there.",
        )
    return tuple(folders)


def _defines_folders(path: Path, machine: str) -> list[str]:
    """The folders to read: a machine's own one comes before its groups' and the general one."""
    found = []
    for folder in sub_packages(path):
        variants = [f"{folder}/{variant}" for variant in (machine, *groups_of(machine))]
        own = [variant for variant in variants if (path / variant / "defines").is_file()]
        found.append(own[0] if own and folder == "autobuild" else folder)
    return found


def _read_spec(path: Path, machine: str, evaluate_in_root: EvaluateInRoot | None) -> AssignmentFile:
    return read_file(
        path,
        "spec",
        variables={"ARCH": machine},
        machine=machine,
        groups=False,
        evaluate_in_root=evaluate_in_root,
    )


def _read_version(spec: AssignmentFile) -> tuple[str, str]:
    """Read VER and REL (0 when it is not set)."""
    version, release = spec.string("VER"), spec.string("REL") or "0"
    if not version:
        raise BundleError(f"{spec.at('VER')}: VER is missing", resolution="Set VER=1.0 or so.")
    if not _VERSION.match(version):
        raise BundleError(
            f"{spec.at('VER')}: VER={version!r} is not a version",
            resolution="Use letters, digits and . + ~ - only; a slash often comes from a ~.",
        )
    if not _RELEASE.match(release):
        raise BundleError(f"{spec.at('REL')}: REL={release!r} is not a revision")
    return version, release


def _subdir(spec: AssignmentFile) -> str:
    """Read SUBDIR: a folder below the unpacked sources, ``.`` for their top."""
    folder = spec.string("SUBDIR")
    if folder.startswith("/") or ".." in folder.split("/"):
        raise BundleError(
            f"{spec.at('SUBDIR')}: SUBDIR={folder!r} leaves the unpacked sources",
            resolution="Name a folder below them.",
        )
    return folder


def _read_packages(
    path: Path,
    spec: AssignmentFile,
    version: str,
    release: str,
    evaluate_in_root: EvaluateInRoot | None,
) -> list[_Package]:
    """Read every defines, which sees the spec's variables and what the builder adds to them."""
    machine = spec.machine
    beforehand: dict[str, Value] = {
        "ABHOST": machine,
        "CROSS": machine,
        **spec.values,
        "ARCH": machine,
        "PKGVER": version,
        "PKGREL": release,
    }
    packages = []
    for folder in _defines_folders(path, machine):
        defines = read_file(
            path,
            f"{folder}/defines",
            variables=beforehand,
            machine=machine,
            groups=True,
            evaluate_in_root=evaluate_in_root,
        )
        has_script = (path / folder / "build").exists()
        with defines.explaining():
            packages.append(_read_package(defines, has_script=has_script))
    return packages


def _read_package(defines: AssignmentFile, *, has_script: bool) -> _Package:
    for name in _REQUIRED:
        if not defines.string(name):
            raise BundleError(
                f"{defines.at(name)}: {name} is missing",
                resolution=f"Every package needs {', '.join(_REQUIRED)}.",
            )
    try:
        name = package_name(defines.string("PKGNAME"))
    except BundleError as problem:
        raise BundleError(
            f"{defines.at('PKGNAME')}: {problem.brief}", resolution=problem.resolution
        ) from problem
    epoch = defines.string("PKGEPOCH") or "0"
    if not re.fullmatch("[0-9]{1,9}", epoch):
        raise BundleError(f"{defines.at('PKGEPOCH')}: PKGEPOCH={epoch!r} is not a number")
    fail, allow = defines.string("FAIL_ARCH"), defines.string("ALLOW_ARCH")
    check_machine(
        defines.machine,
        fail=fail,
        allow=allow,
        package=name,
        origin=defines.at("FAIL_ARCH" if fail else "ALLOW_ARCH"),
    )
    template = defines.string("ABTYPE") or ("self" if has_script else "")
    return _Package(name=name, epoch=epoch, template=template, defines=defines)


def _check_template(package: _Package, templates: Collection[str]) -> None:
    if templates and package.template not in {"", *templates}:
        raise BundleError(
            f"{package.defines.at('ABTYPE')}: ABTYPE={package.template!r} is no build template",
            resolution=f"There are: {', '.join(sorted(templates))}.",
        )


def _provides(packages: list[_Package]) -> tuple[str, ...]:
    names: dict[str, _Package] = {}
    for package in packages:
        if package.name in names:
            raise BundleError(
                f"{package.defines.at('PKGNAME')}: {package.name} is also the PKGNAME of"
                f" {names[package.name].defines.origin}"
            )
        names[package.name] = package
    return tuple(names)


def _full_version(epoch: str, version: str, release: str) -> str:
    """Compose ``[EPOCH:]VER[-REL]``, leaving out zeros."""
    number = epoch.lstrip("0")
    prefix = f"{number}:" if number else ""
    return f"{prefix}{version}" + (f"-{release}" if release != "0" else "")


def _build_depends(
    packages: list[_Package], names: Mapping[str, str | None], provides: tuple[str, ...]
) -> BuildDependencies:
    """All packages' relations, without those on the bundle's own packages."""
    found: dict[str, None] = {}
    for package in packages:
        for variable in _AT_BUILD:
            items = package.defines.words(variable)
            for relation in relations(items, names, origin=package.defines.at(variable)):
                if relation.split(" ")[0] not in provides:
                    found[relation] = None
    return BuildDependencies(
        depends=tuple(found), essential=any(package.template != "dummy" for package in packages)
    )


def _runtime_depends(
    packages: list[_Package], names: Mapping[str, str | None], provides: tuple[str, ...]
) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for package in packages:
        for variable in _RUNTIME:
            items = package.defines.words(variable)
            found |= dict.fromkeys(names_in(items, names, origin=package.defines.at(variable)))
    return tuple(name for name in found if name not in provides)


def _environment(
    packages: list[_Package], version: str, release: str, names: Mapping[str, str | None]
) -> dict[str, str]:
    """What the driver is told: the version as read here, and other names of dependencies."""
    used = {
        word.rstrip("_")
        for package in packages
        for variable in (*_RUNTIME, "PKGRECOM", "PKGSUG")
        for word in package.defines.words(variable)
    }
    lines = [f"{name}={names[name] or ''}" for name in sorted(used) if name in names]
    return {
        "PKGVER": version,
        "PKGREL": release,
        "LAPSTRAKE_DEPENDENCY_NAMES": "\n".join(lines),
        "LAPSTRAKE_TEMPLATES": " ".join(package.template or "?" for package in packages),
    }


def _check_requirements(spec: AssignmentFile) -> None:
    """Check ENVREQ: it tells a scheduler what machine to choose, and bounds nothing here."""
    for pair in spec.words("ENVREQ"):
        key, _, number = pair.partition("=")
        try:
            amount = float(number)
        except ValueError:
            raise BundleError(
                f"{spec.at('ENVREQ')}: {pair!r} is not a requirement",
                resolution="Write NAME=NUMBER: core, total_mem, total_mem_per_core or disk.",
            ) from None
        if not 0 <= amount < 1e6:
            raise BundleError(f"{spec.at('ENVREQ')}: {key} is out of range: {number}")


def _warnings(spec: AssignmentFile, packages: list[_Package]) -> tuple[str, ...]:
    warnings = list(near_misses(spec.values, SPEC, origin=spec.origin))
    if branch := unpinned_branch(spec):
        warnings.append(
            f"{spec.at('GITBRCH')}: the branch {branch} moves; GITCO would pin the source"
        )
    for package in packages:
        defines = package.defines
        warnings += near_misses(defines.values, DEFINES, origin=defines.origin)
        for name in ("FAIL_ARCH", "ALLOW_ARCH"):
            if misses_an_operator(defines.string(name)):
                warnings.append(
                    f"{defines.at(name)}: {name} has alternatives outside of @(...) or !(...),"
                    " so it never matches"
                )
    return tuple(warnings)
