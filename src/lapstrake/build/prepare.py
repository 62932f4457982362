"""Everything before a build that needs no workspace: find, read, fetch, enter the branch."""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.branch.foreign import with_foreign
from lapstrake.branch.instance import Branch, enter_branch
from lapstrake.build.fetch import fetch_sources
from lapstrake.build.reading import reading_of
from lapstrake.build.request import BuildRequest
from lapstrake.bundle.base import Bundle
from lapstrake.layer.store import Layer
from lapstrake.names import Arch
from lapstrake.place.workplace import Workplace
from lapstrake.source.job import Fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A bundle, its sources on the host, its branch ready to build on, and a toolchain over it."""

    bundle: Bundle
    sources: tuple[Fetched, ...]
    branch: Branch
    toolchain: Layer | None = None


def prepare(place: Workplace, request: BuildRequest) -> Prepared:
    """Find and read the bundle, fetch its sources, refresh its branch.

    In this order as far as the bundle's format allows, so that a mistake in it is told before
    anything is downloaded, and a broken source before the branch is touched. (What an AOSC bundle
    means depends on the root; a source package's name, on the branch's archive.)
    """

    def enter() -> Branch:
        return enter_branch(place, request.branch, refresh=request.refresh)

    reading = reading_of(place, request, enter)
    bundle = reading.bundle()
    for warning in bundle.warnings:
        place.progress.warning(warning)
    sources = fetch_sources(place, bundle, offline=request.offline)
    prepared = Prepared(
        bundle=reading.tools(bundle, sources), sources=sources, branch=reading.branch
    )
    return _crossing(place, request, request.target, prepared) if request.target else prepared


def _crossing(
    place: Workplace, request: BuildRequest, target: Arch, prepared: Prepared
) -> Prepared:
    """Add what cross-compiling needs."""
    from lapstrake.build.cross import with_cross_tools  # many modules, for these builds only

    own, found = place.config.arch, None
    if request.toolchain:
        from lapstrake.build.toolchain import toolchain_layer

        found = toolchain_layer(place, request.toolchain, cwd=request.cwd, own=own, target=target)
    return Prepared(
        bundle=with_cross_tools(
            prepared.bundle, own=own, target=target, toolchain=found.facts if found else None
        ),
        sources=prepared.sources,
        branch=with_foreign(place, prepared.branch, target),
        toolchain=found.layer if found else None,
    )
