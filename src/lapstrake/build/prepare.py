"""Everything before a build that needs no workspace: find, read, fetch, enter the branch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lapstrake.branch.instance import Branch, enter_branch
from lapstrake.branch.workplace import Workplace
from lapstrake.build import aosc_roots
from lapstrake.build.evaluate import evaluate_in
from lapstrake.build.fetch import fetch_sources
from lapstrake.build.request import BuildRequest
from lapstrake.build.source_package import locate_source_package
from lapstrake.bundle import aosc, debian, native
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_uris import SourcePackageRequest
from lapstrake.bundle.find import BundleLocation, find
from lapstrake.formats.shell import Value
from lapstrake.source.fetch import Fetched
from lapstrake.source.spec import SourceSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A bundle, its sources on the host, its branch ready to build on."""

    bundle: Bundle
    sources: tuple[Fetched, ...]
    branch: Branch


def prepare(place: Workplace, request: BuildRequest) -> Prepared:
    """Find and read the bundle, fetch its sources, refresh its branch.

    In this order, so that a mistake in the bundle is told before anything is downloaded, and a
    broken source before the branch is touched.
    """
    reading = _Reading(place, request)
    bundle = reading.bundle()
    for warning in bundle.warnings:
        place.progress.warning(warning)
    sources = fetch_sources(place, bundle, offline=request.offline)
    return Prepared(bundle=bundle, sources=sources, branch=reading.branch)


def read_bundle(place: Workplace, request: BuildRequest) -> Bundle:
    """Find and read a bundle, without fetching anything but a source package's description."""
    return _Reading(place, request).bundle()


class _Reading:
    """Reading one bundle; the branch is entered at the first need, and once."""

    def __init__(self, place: Workplace, request: BuildRequest) -> None:
        self.place = place
        self.request = request

    @functools.cached_property
    def branch(self) -> Branch:
        """The branch, refreshed as the request says."""
        return enter_branch(self.place, self.request.branch, refresh=self.request.refresh)

    def bundle(self) -> Bundle:
        """The bundle, whatever its format."""
        request, config = self.request, self.place.config
        location = find(request.bundle, trees=config.tree, cwd=request.cwd)
        if isinstance(location, SourcePackageRequest):
            path, specs = locate_source_package(self.place, self.branch, location)
            return self._debian(path, specs)
        match location.format:
            case BundleFormat.DEBIAN:
                return self._debian(location.path, ())
            case BundleFormat.NATIVE:
                return native.read(location.path, arch=config.arch)
            case BundleFormat.AOSC:
                return self._aosc(location)

    def _debian(self, path: Path, specs: tuple[SourceSpec, ...]) -> Bundle:
        request = self.request
        return debian.read(
            path,
            arch=self.place.config.arch,
            profiles=request.profiles,
            kind=request.kind,
            sources=specs,
        )

    def _aosc(self, location: BundleLocation) -> Bundle:
        """An AOSC bundle, with names and tools for a root that is not AOSC's."""
        config = self.place.config

        def evaluate(text: str, variables: Mapping[str, Value]) -> Mapping[str, Value]:
            return evaluate_in(self.place, self.branch, text, variables)

        if aosc_roots.is_aosc(layer.tree for layer in self.branch.layers):
            return aosc.read(location.path, arch=config.arch, evaluate_in_root=evaluate)
        bundle = aosc.read(
            location.path,
            arch=config.arch,
            evaluate_in_root=evaluate,
            dependency_names=aosc_roots.build_names(config.dependency_names),
        )
        return aosc_roots.with_tools(bundle, config)
