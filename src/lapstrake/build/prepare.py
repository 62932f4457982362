"""Everything before a build that needs no workspace: find, read, fetch, enter the branch."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.branch.instance import Branch, enter_branch
from lapstrake.branch.workplace import Workplace
from lapstrake.build import aosc_roots
from lapstrake.build.evaluate import evaluate_in
from lapstrake.build.fetch import fetch_sources
from lapstrake.build.probe import with_tools
from lapstrake.build.request import BuildRequest
from lapstrake.build.source_package import locate_source_package
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_uris import SourcePackageRequest
from lapstrake.bundle.find import BundleLocation, find
from lapstrake.bundle.read import ReadOptions, read
from lapstrake.formats.shell import Value
from lapstrake.source.job import Fetched
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
    return Prepared(bundle=reading.tools(bundle, sources), sources=sources, branch=reading.branch)


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
        sources: tuple[SourceSpec, ...] = ()
        if isinstance(location, SourcePackageRequest):
            path, sources = locate_source_package(
                self.place, self.branch, location, offline=request.offline
            )
            location = BundleLocation(format=BundleFormat.DEBIAN, path=path)
        options = ReadOptions(
            profiles=request.profiles,
            kind=request.kind,
            sources=sources,
            maintainer=config.build.maintainer,
            evaluate_in_root=self._evaluate,
            dependency_names=self._names(location.format),
            records=self.place.private / "bundles",
        )
        return read(location, arch=config.arch, options=options)

    def tools(self, bundle: Bundle, sources: tuple[Fetched, ...]) -> Bundle:
        """The bundle with what its format takes for granted and the root lacks."""
        if bundle.format is not BundleFormat.AOSC or self._is_aosc:
            return bundle
        return with_tools(self.place, self.branch, bundle, sources)

    @functools.cached_property
    def _is_aosc(self) -> bool:
        return aosc_roots.is_aosc(layer.tree for layer in self.branch.layers)

    def _names(self, bundle_format: BundleFormat) -> Mapping[str, str | None]:
        """AOSC's names of packages are translated where the root is not AOSC's."""
        if bundle_format is not BundleFormat.AOSC or self._is_aosc:
            return {}
        return aosc_roots.build_names(self.place.config.dependency_names)

    def _evaluate(self, text: str, variables: Mapping[str, Value]) -> Mapping[str, Value]:
        return evaluate_in(self.place, self.branch, text, variables)
