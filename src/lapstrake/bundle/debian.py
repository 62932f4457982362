"""Debian sources as bundles: a ``.dsc`` file, or a folder with ``debian/``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat
from lapstrake.bundle.debian_binaries import BinaryPackage, BuildKind, is_built
from lapstrake.bundle.debian_dsc import SourceDescription, local_sources, read_description
from lapstrake.bundle.debian_fields import Paragraph
from lapstrake.bundle.debian_relations import RelationError, package_names, split_relations
from lapstrake.bundle.debian_tree import read_tree
from lapstrake.errors import BundleError, UsageError
from lapstrake.names import Arch
from lapstrake.source.spec import SourceSpec

_PROFILE = re.compile(r"[a-z0-9][a-z0-9.+-]*\Z")
_SUFFIXES: Mapping[BuildKind, tuple[str, ...]] = {
    BuildKind.FULL: ("", "-Arch", "-Indep"),
    BuildKind.ANY: ("", "-Arch"),
    BuildKind.ALL: ("", "-Indep"),
}


def read(
    path: Path,
    *,
    arch: Arch,
    profiles: Sequence[str] = (),
    kind: BuildKind = BuildKind.FULL,
    sources: Sequence[SourceSpec] = (),
) -> Bundle:
    """Read a Debian source.

    Args:
        path: a ``.dsc`` file or a folder with ``debian/``.
        arch: the architecture to build for.
        profiles: build profiles (``nocheck``, ``nodoc`` ...).
        kind: which binary packages to build.
        sources: where the files of a ``.dsc`` come from, when they are not next to it
            (`lapstrake.bundle.debian_uris.parse_print_uris`); the sums must agree.

    Raises:
        BundleError: a field is missing or wrong; the brief names file and line. Or nothing is
            built for this architecture and kind.
        UsageError: something is not the name of a build profile.
    """
    for profile in profiles:
        if not _PROFILE.match(profile):
            raise UsageError(f"{profile!r} is not the name of a build profile")
    kind = BuildKind(kind)
    if path.is_dir():
        tree = read_tree(path)
        paragraph, name, version, binaries = tree.paragraph, tree.name, tree.version, tree.binaries
        dsc = ""
    else:
        description = read_description(path)
        paragraph, binaries, dsc = description.paragraph, description.binaries, path.name
        name, version = paragraph.require_name("Source"), paragraph.require("Version")
        sources = _agreeing(sources, description) if sources else local_sources(path, description)
    built = _built(binaries, paragraph, arch=arch, kind=kind, profiles=profiles)
    return Bundle(
        name=name,
        version=version,
        upstream_version=_upstream_version(version, paragraph),
        format=BundleFormat.DEBIAN,
        path=path,
        sources=tuple(sources),
        build_depends=_build_dependencies(paragraph, kind),
        provides=tuple(package.name for package in built),
        runtime_depends=_runtime_depends(built),
        driver="debian.sh",
        environment={
            "LAPSTRAKE_DSC": dsc,
            "LAPSTRAKE_KIND": str(kind),
            "LAPSTRAKE_PACKAGE": name,
            "LAPSTRAKE_PROFILES": " ".join(profiles),
            "LAPSTRAKE_VERSION": version,
        },
    )


def _build_dependencies(paragraph: Paragraph, kind: BuildKind) -> BuildDependencies:
    return BuildDependencies(
        depends=_relations(paragraph, "Build-Depends", kind),
        conflicts=_relations(paragraph, "Build-Conflicts", kind),
        essential=True,
    )


def _relations(paragraph: Paragraph, field: str, kind: BuildKind) -> tuple[str, ...]:
    relations: list[str] = []
    for suffix in _SUFFIXES[kind]:
        name = field + suffix
        try:
            relations.extend(split_relations(paragraph.get(name)))
        except RelationError as wrong:
            raise paragraph.error(name, f"{name}: {wrong}", near=wrong.text) from wrong
    return tuple(relations)


def _built(
    binaries: Iterable[BinaryPackage],
    paragraph: Paragraph,
    *,
    arch: Arch,
    kind: BuildKind,
    profiles: Sequence[str],
) -> tuple[BinaryPackage, ...]:
    announced = tuple(binaries)
    built = tuple(
        package
        for package in announced
        if is_built(package, arch=arch, kind=kind, profiles=profiles)
    )
    if not built:
        listed = "\n".join(f"{p.name}: {' '.join(p.architectures)}" for p in announced)
        raise BundleError(
            f"{paragraph.file}: no package is built for {arch}, kind {kind}",
            details=listed,
            resolution="Choose another architecture, kind or other build profiles.",
        )
    return built


def _runtime_depends(built: Iterable[BinaryPackage]) -> tuple[str, ...]:
    """Name what the packages need, without themselves."""
    own = {package.name for package in built}
    needed = (name for package in built for name in package_names(package.depends))
    return tuple(dict.fromkeys(name for name in needed if name not in own))


def _agreeing(
    sources: Sequence[SourceSpec], description: SourceDescription
) -> tuple[SourceSpec, ...]:
    """Check that sources found elsewhere are what the ``.dsc`` lists."""
    found = {source.name: source for source in sources}
    for file in description.files:
        source = found.get(file.name)
        where = f"{description.paragraph.file}:{file.line}"
        if source is None:
            raise BundleError(f"{where}: {file.name} is not among the sources that were found")
        same_algorithm = source.digest and source.digest.algorithm == file.digest.algorithm
        if same_algorithm and source.digest != file.digest:
            raise BundleError(
                f"{where}: {file.name} has another checksum where it was found",
                details=f"the .dsc says {file.digest}\n{source.origin} says {source.digest}",
            )
    return tuple(sources)


def _upstream_version(version: str, paragraph: Paragraph) -> str:
    from debian.debian_support import Version

    try:
        return str(Version(version).upstream_version)
    except ValueError as wrong:
        raise paragraph.error("Version", f"{version!r} is not a version") from wrong
