"""``lapstrake fetch``: the sources of bundles, verified, in the download cache."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table
from lapstrake.cli.place import look_place, open_place
from lapstrake.formats.amounts import size_text
from lapstrake.names import BranchName

if TYPE_CHECKING:
    from lapstrake.branch.instance import Branch
    from lapstrake.build.reading import Reading
    from lapstrake.place.workplace import Workplace
    from lapstrake.source.job import Fetched


@click.command()
@click.argument("bundles", nargs=-1, required=True, metavar="BUNDLE...")
@click.option("--branch", help="The branch whose archive has apt:NAME, or whose root reads it.")
@click.option("--offline", is_flag=True, help="Only tell whether all is in the download cache.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def fetch(
    app: AppContext, /, bundles: tuple[str, ...], branch: str | None, offline: bool, as_json: bool
) -> None:
    """Fetch and verify the sources of BUNDLEs, for builds to come.

    Needs neither a branch nor root, but for apt:NAME and for the few AOSC bundles that only a shell
    can read: those are read in a root of the branch that --branch names.
    """
    from lapstrake.build.reading import Reading

    place = open_place(app) if branch else look_place(app)
    enter = _enter(place, branch)
    readings = [
        Reading(place=place, text=text, cwd=Path.cwd(), enter=enter, offline=offline)
        for text in bundles
    ]
    fetch_and_tell(app, place, readings, offline=offline, as_json=as_json)


def fetch_and_tell(
    app: AppContext,
    place: Workplace,
    readings: Sequence[Reading],
    *,
    offline: bool,
    as_json: bool,
) -> None:
    """Read bundles, fetch what they name, and print it: name, digest, size, and where it was."""
    from lapstrake.build.fetch import fetch_sources

    read = [reading.bundle() for reading in readings]  # all mistakes come before all downloads
    found = [
        (bundle.name, source)
        for bundle in read
        for source in fetch_sources(place, bundle, offline=offline)
    ]
    if as_json:
        rows = [_row(name, source) for name, source in found]
        app.output.result(json.dumps(rows, indent=1))
    elif found:
        app.output.result(table([_cells(source) for _, source in found], right=(2,)))


def _enter(place: Workplace, branch: str | None) -> Callable[[], Branch]:
    """What gives a root to the bundles that need one."""

    def enter() -> Branch:
        from lapstrake.branch.instance import enter_branch
        from lapstrake.build.reading import NoRootError

        if branch is None:
            raise NoRootError(
                "the bundle can only be read in a root", resolution="Give --branch NAME."
            )
        return enter_branch(place, BranchName(branch))

    return enter


def _row(bundle: str, source: Fetched) -> dict[str, Any]:
    return {
        "bundle": bundle,
        "name": source.spec.name,
        "digest": str(source.digest),
        "size": source.size,
        "cached": source.from_cache,
        "revision": source.revision,
        "url": source.url,
        "path": str(source.path),
    }


def _cells(source: Fetched) -> tuple[str, ...]:
    how = "cached" if source.from_cache else "fetched"
    return (source.spec.name, str(source.digest), size_text(source.size), how)
