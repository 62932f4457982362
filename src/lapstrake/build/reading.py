"""From a bundle's name to the bundle: found, read, its words translated for the branch's root."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.build import aosc_roots
from lapstrake.build.evaluate import evaluate_in
from lapstrake.build.probe import with_tools
from lapstrake.build.request import BuildRequest, settled
from lapstrake.build.source_package import locate_source_package
from lapstrake.bundle.aosc_file import Evaluated
from lapstrake.bundle.base import Bundle, BundleFormat
from lapstrake.bundle.debian_binaries import BuildKind
from lapstrake.bundle.debian_uris import SourcePackageRequest
from lapstrake.bundle.find import BundleLocation, find
from lapstrake.bundle.read import ReadOptions, read
from lapstrake.errors import BranchError, BundleError
from lapstrake.formats.shell import Value
from lapstrake.names import Arch
from lapstrake.place.workplace import Workplace
from lapstrake.repository.open import repository_of
from lapstrake.source.job import Fetched
from lapstrake.source.spec import SourceSpec


class NoRootError(BranchError):
    """A bundle needs a root to be read, and there is none to use."""


@dataclass(frozen=True, kw_only=True)  # no slots: cached_property keeps the branch here
class Reading:
    """Reading one bundle.

    Attributes:
        place: where.
        text: what the user calls it.
        cwd: what a relative path is relative to.
        enter: gives the branch; called at the first need, and once.
        kind: which packages of a Debian source are built.
        profiles: of a Debian source.
        offline: fetch nothing, not even a source package's description.
        remember: whether bundles that are slow to read may be remembered on disk.
        siblings: packages that the branch's repository will have beforehand, as it has its own.
        target: the architecture that is cross-compiled for, if it is.
    """

    place: Workplace
    text: str
    cwd: Path
    enter: Callable[[], Branch]
    kind: BuildKind = BuildKind.FULL
    profiles: tuple[str, ...] = ()
    offline: bool = False
    remember: bool = True
    siblings: frozenset[str] = field(default_factory=frozenset)
    target: Arch | None = None

    @functools.cached_property
    def branch(self) -> Branch:
        """The branch that the bundle is read for."""
        return self.enter()

    def bundle(self) -> Bundle:
        """The bundle, whatever its format.

        Raises:
            BundleError: there is no such bundle, or it is wrong.
            NoRootError: it must be evaluated in a root, or the archive be asked from one, and
                `enter` knows of none.
        """
        location = find(self.text, trees=self.place.config.tree, cwd=self.cwd)
        sources: tuple[SourceSpec, ...] = ()
        if isinstance(location, SourcePackageRequest):
            path, sources = locate_source_package(
                self.place, self.branch, location, offline=self.offline
            )
            location = BundleLocation(format=BundleFormat.DEBIAN, path=path)
        if self.target and location.format is BundleFormat.AOSC:
            raise BundleError(
                f"{self.text}: AOSC's bundles cannot be cross-compiled for {self.target}",
                resolution=f"Build it in a root of {self.target}: set arch to that, and work_dir "
                "to another folder; qemu-user-static runs its programs.",
            )
        options = ReadOptions(
            profiles=self.profiles,
            kind=self.kind,
            sources=sources,
            maintainer=self.place.config.build.maintainer,
            evaluate_in_root=self._evaluate,
            dependency_names=_Later(lambda: self._names(location.format)),
            templates=self._templates(location.format),
            records=self.place.private / "bundles" if self.remember else None,
            crossed=self.target is not None,
        )
        return read(location, arch=self.target or self.place.config.arch, options=options)

    def tools(self, bundle: Bundle, sources: tuple[Fetched, ...]) -> Bundle:
        """The bundle with what its format takes for granted and the root lacks."""
        if bundle.format is not BundleFormat.AOSC or self._is_aosc:
            return bundle
        return with_tools(self.place, self.branch, bundle, sources, own=self._own)

    @functools.cached_property
    def _is_aosc(self) -> bool:
        return aosc_roots.is_aosc(layer.tree for layer in self.branch.layers)

    @functools.cached_property
    def _own(self) -> frozenset[str]:
        """Packages of AOSC's names that the branch has built: those need no other name."""
        built = repository_of(self.place, self.branch.name).packages()
        here = (self.place.config.arch.value, "all")
        return self.siblings.union(each.package for each in built if each.architecture in here)

    def _names(self, bundle_format: BundleFormat) -> Mapping[str, str | None]:
        """AOSC's names of packages are translated where the root is not AOSC's."""
        if bundle_format is not BundleFormat.AOSC:
            return {}
        configured = self.place.config.dependency_names
        try:
            return {} if self._is_aosc else aosc_roots.build_names(configured, own=self._own)
        except NoRootError:
            return aosc_roots.build_names(configured, own=self.siblings)

    @staticmethod
    def _templates(bundle_format: BundleFormat) -> Collection[str]:
        return aosc_roots.templates() if bundle_format is BundleFormat.AOSC else ()

    def _evaluate(self, text: str, variables: Mapping[str, Value], origin: str) -> Evaluated:
        return evaluate_in(self.place, self.branch, text, variables, origin=origin)


class _Later(Mapping[str, str | None]):
    """Names that only the branch tells, asked for at the first need.

    A branch may have to be made first, and a mistake in the bundle shall be told before that.
    """

    def __init__(self, names: Callable[[], Mapping[str, str | None]]) -> None:
        self._names = functools.cache(names)

    def __getitem__(self, name: str) -> str | None:
        return self._names()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())


def reading_of(
    place: Workplace,
    request: BuildRequest,
    enter: Callable[[], Branch],
    *,
    remember: bool = True,
    siblings: frozenset[str] = frozenset(),
) -> Reading:
    """How the bundle of a build is read; the arguments are as of `Reading`."""
    request = settled(request, place.config.arch)
    return Reading(
        place=place,
        text=request.bundle,
        cwd=request.cwd,
        enter=enter,
        kind=request.kind,
        profiles=request.profiles,
        offline=request.offline,
        remember=remember,
        siblings=siblings,
        target=request.target,
    )
