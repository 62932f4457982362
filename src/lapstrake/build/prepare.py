"""Everything before a build that needs no workspace: find, read, fetch, enter the branch."""

from __future__ import annotations

from dataclasses import dataclass

from lapstrake.branch.foreign import with_foreign
from lapstrake.branch.instance import Branch, enter_branch
from lapstrake.build.fetch import fetch_sources
from lapstrake.build.reading import reading_of
from lapstrake.build.request import BuildRequest
from lapstrake.bundle.base import Bundle
from lapstrake.place.workplace import Workplace
from lapstrake.source.job import Fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A bundle, its sources on the host, its branch ready to build on."""

    bundle: Bundle
    sources: tuple[Fetched, ...]
    branch: Branch


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
    bundle, branch = reading.tools(bundle, sources), reading.branch
    if request.target:
        from lapstrake.build.cross import with_cross_tools  # many modules, for these builds only

        bundle = with_cross_tools(bundle, own=place.config.arch, target=request.target)
        branch = with_foreign(place, branch, request.target)
    return Prepared(bundle=bundle, sources=sources, branch=branch)
