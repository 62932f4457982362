"""Everything before a build that needs no workspace: find, read, fetch, enter the branch."""

from __future__ import annotations

from dataclasses import dataclass

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
    return Prepared(bundle=reading.tools(bundle, sources), sources=sources, branch=reading.branch)
