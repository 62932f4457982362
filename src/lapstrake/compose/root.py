"""A branch's root with more packages on it: composed where that is the same as installed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.compose import entries
from lapstrake.compose.archive import known_layers
from lapstrake.compose.base import ComposedRoot, How, Package, Wanted
from lapstrake.compose.below import below_of
from lapstrake.compose.configure import configure
from lapstrake.compose.doubt import Below, doubt, mends
from lapstrake.compose.installed import find_installed, installed_layer
from lapstrake.compose.parts import Parts, active_last, gather, order_matters
from lapstrake.compose.preinst import run_preinsts
from lapstrake.compose.resolution import Resolution
from lapstrake.compose.resolve import in_order, remembered, resolve
from lapstrake.compose.view import View
from lapstrake.compose.wish import relations_of
from lapstrake.errors import DependencyError
from lapstrake.formats.keys import Canonical, cache_key
from lapstrake.layer.store import Layer
from lapstrake.place.workplace import Workplace
from lapstrake.repository.flat import Repository

_FORMAT = 5
_MOST = 400
"""Packages that are mounted as layers; the kernel takes 500 (fs/overlayfs/params.h)."""


def compose_root(
    place: Workplace, branch: Branch, repository: Repository, wanted: Wanted
) -> ComposedRoot:
    """Get a branch's stack with packages on it, and whatever they need.

    Args:
        place: where.
        branch: what is below.
        repository: the packages that were built for the branch; preferred to all others.
        wanted: the packages.

    Raises:
        MissingError: packages are unknown; all of them are named.
        DependencyError: apt cannot satisfy them, or a package could not be configured.
    """
    view = View(place=place, branch=branch, repository=repository)
    resolution = resolve(view, wanted)
    job = _Job(view=view, wanted=wanted, resolution=resolution)
    known = job.known()
    if known is not None:
        return known
    try:
        return job.compose()
    except _DoubtfulError as doubtful:
        return job.installed(job.install(doubtful.brief), made=True)


def known_root(
    place: Workplace, branch: Branch, repository: Repository, wanted: Wanted
) -> ComposedRoot | None:
    """What `compose_root` would find ready; ``None`` when it would have work to do."""
    view = View(place=place, branch=branch, repository=repository)
    resolution = remembered(view, wanted)
    if resolution is None:
        return None
    return _Job(view=view, wanted=wanted, resolution=resolution).known()


class _DoubtfulError(DependencyError):
    """Layers may show something else than apt makes; the brief says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """One root that is wanted, and what apt would install for it."""

    view: View
    wanted: Wanted
    resolution: Resolution

    def known(self) -> ComposedRoot | None:
        """The root, when all its layers are in the store."""
        if not self.resolution:
            reason = "the branch has all it needs"
            return ComposedRoot(branch=self.view.branch, added=(), layers=(), reason=reason)
        top = self._find("configured")
        if top is not None:
            preinst = self._find("preinst")
            by_name = {item.exactly: item for item in self.resolution.items}
            packages = known_layers(
                self.view, [by_name[name] for name in str(top.facts["order"]).split()]
            )
            if all(packages) and (preinst is not None or not top.facts["preinst"]):
                return self._composed(preinst, [layer for layer in packages if layer], top)
        layer = find_installed(self.view, self.resolution)
        return self.installed(layer) if layer else None

    def compose(self, *, ordered: bool = False) -> ComposedRoot:
        """Make the root of layers.

        Args:
            ordered: ask apt for its order, even if it does not seem to matter.

        Raises:
            _DoubtfulError: it cannot be shown to be what apt would make.
        """
        self._refuse_changes()
        parts = self._parts(ordered=ordered)
        below = below_of(self.view.place, self.view.branch)
        reason = doubt(parts.unpacked, below)
        if reason:
            raise _DoubtfulError(reason)
        try:
            preinst = self._preinst_layer(parts, below, ordered=ordered)
        except _DoubtfulError:
            if ordered:
                raise
            return self.compose(ordered=True)
        self.view.place.progress.headline(f"configuring {len(parts.items)} packages")
        facts: dict[str, Canonical] = {
            "preinst": preinst is not None,
            "order": " ".join(item.exactly for item in parts.items),
        }
        top = self._make("configured", facts, lambda tree: self._configure(parts, preinst, tree))
        return self._composed(preinst, parts.layers, top, made=True)

    def _parts(self, *, ordered: bool) -> Parts:
        """The packages, in apt's order where that matters."""
        try:
            parts = gather(self.view, self.resolution.items)
        except DependencyError as failed:  # apt, which unpacks in its own way, has the last word
            raise _DoubtfulError(failed.brief) from failed
        if not ordered and not order_matters(parts):
            return active_last(parts)
        order = in_order(self.view, self.wanted, self.resolution)
        return gather(self.view, order.items, order.early)

    def _configure(self, parts: Parts, preinst: Layer | None, tree: Path) -> None:
        below = below_of(self.view.place, self.view.branch)
        try:
            configure(
                self.view.place,
                [*self.view.branch.layers, *([preinst] if preinst else [])],
                _stacked(None, parts.layers),
                parts.contents,
                mends=mends(parts.unpacked, _after(preinst, below)),
                automatic=self._automatic(),
                early=parts.early,
                tree=tree,
            )
        except DependencyError as failed:
            raise _DoubtfulError(failed.brief) from failed

    def install(self, reason: str) -> Layer:
        """Let apt install what cannot be composed; when it fails too, both are said.

        Raises:
            DependencyError: apt, or a package's script, failed.
        """
        try:
            return installed_layer(self.view, self.wanted, self.resolution, reason=reason)
        except DependencyError as failed:
            raise DependencyError(
                failed.brief,
                details=f"{failed.details}\napt installed it, since it was not composed: {reason}",
                resolution=failed.resolution,
            ) from failed

    def installed(self, layer: Layer, *, made: bool = False) -> ComposedRoot:
        """The root with the layer that apt made."""
        return ComposedRoot(
            branch=self.view.branch,
            added=self._added(),
            layers=(layer,),
            how=How.INSTALLED,
            reason=str(layer.facts["reason"]),
            made=made,
        )

    def _composed(
        self, preinst: Layer | None, packages: Sequence[Layer], top: Layer, *, made: bool = False
    ) -> ComposedRoot:
        return ComposedRoot(
            branch=self.view.branch,
            added=self._added(),
            layers=(*_stacked(preinst, packages), top),
            reason=f"composed of {len(packages)} packages",
            made=made,
        )

    def _refuse_changes(self) -> None:
        """What is in the branch already lies below, and cannot be taken out of it."""
        items, removed = self.resolution.items, self.resolution.removed
        replaced = [item.name for item in items if item.old]
        if replaced:
            raise _DoubtfulError(f"another version of {replaced[0]} is in the branch")
        if removed:
            raise _DoubtfulError(f"{removed[0]} has to be removed")
        if len(items) > _MOST:
            raise _DoubtfulError(f"{len(items)} packages are too many layers")
        unknown = [item.name for item in items if not item.sha256]
        if unknown:
            raise _DoubtfulError(f"apt does not say where {unknown[0]} comes from")

    def _preinst_layer(self, parts: Parts, below: Below, *, ordered: bool) -> Layer | None:
        """The layer of what scripts write that run before their packages are unpacked."""
        if not any(parts.active):
            return None

        def fill(tree: Path) -> None:
            place, branch = self.view.place, self.view.branch
            reason = run_preinsts(place, branch, parts.unpacked, below.lookup, tree)
            if not (reason or ordered) and sum(parts.active) > 1 and len(entries.walk(tree)) > 1:
                reason = "several packages have scripts that write before they are unpacked"
            if reason:
                raise _DoubtfulError(reason)

        return self._make("preinst", {}, fill)

    @property
    def _arch(self) -> str:
        return self.view.place.config.arch.value

    def _automatic(self) -> list[tuple[str, str]]:
        """Those that nobody asked for; apt writes its own architecture for what is for all."""
        return [
            (item.name, self._arch if item.arch == "all" else item.arch)
            for item in self.resolution.items
            if item.exactly not in self.resolution.asked
        ]

    def _added(self) -> tuple[Package, ...]:
        return tuple(
            sorted(
                Package(
                    name=item.name,
                    version=item.version,
                    arch=item.arch,
                    sha256=item.sha256,
                    size=item.size,
                )
                for item in self.resolution.items
            )
        )

    def _find(self, kind: str) -> Layer | None:
        return self.view.place.store.find(cache_key(kind, self._inputs()))

    def _make(
        self, kind: str, facts: Mapping[str, Canonical], fill: Callable[[Path], None]
    ) -> Layer:
        inputs = self._inputs()
        return self.view.place.store.make(
            cache_key(kind, inputs),
            kind=kind,
            facts={**inputs, **facts, "wanted": relations_of(self.wanted)},
            fill=fill,
            on_wait=self.view.place.progress.headline,
        )

    def _inputs(self) -> dict[str, Canonical]:
        items = sorted(self.resolution.items, key=lambda item: item.exactly)
        return {
            "format": _FORMAT,
            "instance": self.view.branch.top.hex,
            "packages": [[item.name, item.version, item.arch, item.sha256] for item in items],
            "asked": sorted(self.resolution.asked),
        }


def _after(preinst: Layer | None, below: Below) -> Below:
    """The branch as it is once scripts have run."""
    if preinst is None:
        return below
    written = entries.walk(preinst.tree)
    return replace(below, lookup=lambda path: written.get(path) or below.lookup(path))


def _stacked(preinst: Layer | None, packages: Sequence[Layer]) -> tuple[Layer, ...]:
    """Layers over a branch, lowest first.

    dpkg leaves a folder as the first package made it; a mount shows the uppermost layer's.
    """
    return (*([preinst] if preinst else []), *reversed(packages))
