"""``lapstrake artifact ls`` and ``prune``: what is kept of artifacts, and for how long."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from lapstrake.cli.artifact_place import open_depot
from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import printable, table
from lapstrake.errors import UsageError

if TYPE_CHECKING:
    from lapstrake.artifact.keeping.entries import Entry

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_DOWNLOADS = click.option(
    "--downloads", is_flag=True,
    help="Also what was downloaded: archives, fetched packages, sources, and what broke off.",
)  # fmt: skip
_BUILDS = click.option(
    "--builds", is_flag=True,
    help="Also where artifacts were built: folders that are in no package, containers' volumes.",
)  # fmt: skip
_SHORT = 7
_T = TypeVar("_T")


@click.command("ls")
@_DOWNLOADS
@_BUILDS
@_JSON
@pass_app
def list_(app: AppContext, /, downloads: bool, builds: bool, as_json: bool) -> None:
    """List the artifacts that are kept here, and when they were last used."""
    from lapstrake.artifact.cleaning.prune import besides
    from lapstrake.artifact.keeping.cache import ArtifactCache

    depot = open_depot(app)
    entries = list(ArtifactCache(depot.artifacts).entries())
    entries += besides(depot, downloads=downloads, builds=builds)
    if as_json:
        app.output.result(json.dumps([_document(entry) for entry in entries], indent=2))
    elif entries:
        app.output.result(printable(_listed(entries)))
    else:
        app.output.say(f"no artifacts are kept in {depot.artifacts}")


@click.command()
@click.option("--older-than", metavar="AGE", help="Remove what was not used for so long (30d).")
@click.option(
    "--max-size",
    metavar="SIZE",
    help="Remove those used longest ago until the rest fits.  [default: artifacts.budget, unless "
    "--older-than is given]",
)
@click.option("--keep", default=0, type=click.IntRange(min=0), metavar="N",
              help="Leave the N of each package that were used last.")  # fmt: skip
@_DOWNLOADS
@_BUILDS
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@_JSON
@pass_app
def prune(
    app: AppContext,
    /,
    older_than: str | None,
    max_size: str | None,
    keep: int,
    downloads: bool,
    builds: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Remove artifacts that nobody used for long.

    What is in use stays, what Nerves put there too, and what was fetched within a day; of a link to
    a build only the link goes. Volumes whose build folder is gone go in any case; of those that
    only their engine may read the size is unknown, and their age alone counts. Roots that were
    built in are layers: `lapstrake store gc`.
    """
    from lapstrake.artifact.cleaning.prune import besides
    from lapstrake.artifact.cleaning.prune import prune as prune_cache
    from lapstrake.artifact.keeping.cache import ArtifactCache
    from lapstrake.config.units import parse_duration, parse_size
    from lapstrake.formats.amounts import size_text

    depot = open_depot(app)
    age = _read("--older-than", older_than, parse_duration)
    room = _read("--max-size", max_size, parse_size)
    if age is None and room is None:
        room = app.config.artifacts.budget
    gone = prune_cache(
        ArtifactCache(depot.artifacts),
        older_than=age,
        max_size=room,
        keep=keep,
        others=besides(depot, downloads=downloads, builds=builds),
        dry_run=dry_run,
    )
    freed = sum(entry.size for entry in gone)
    if as_json:
        document = {"removed": [_document(entry) for entry in gone], "bytes": freed}
        app.output.result(json.dumps(document, indent=2))
        return
    if gone:
        app.output.result(printable(_listed(gone)))
    would = "would be " if dry_run else ""
    app.output.say(f"{len(gone)} {would}removed, {size_text(freed)} {would}freed")


def _read(option: str, text: str | None, parse: Callable[[str], _T]) -> _T | None:
    try:
        return None if text is None else parse(text)
    except ValueError as wrong:
        raise UsageError(f"{option}: {wrong}") from wrong


def _listed(entries: Sequence[Entry]) -> str:
    from lapstrake.formats.amounts import age_text, size_text

    rows = [
        (
            entry.package or "-",
            entry.version,
            entry.host,
            entry.checksum[:_SHORT],
            size_text(entry.size) if entry.size else "",
            age_text(entry.used) if entry.used else "",
            _said(entry),
        )
        for entry in entries
    ]
    header = ("ARTIFACT", "VERSION", "HOST", "CHECKSUM", "SIZE", "USED", "NOTE")
    return table(rows, header=header, right={4})


def _said(entry: Entry) -> str:
    from lapstrake.artifact.keeping.entries import Kind

    if entry.kind is Kind.VOLUME:
        return f"{entry.name} of {entry.path}{' (gone)' if entry.lost else ''}"
    if entry.kind is not Kind.ARTIFACT:
        return entry.kind if entry.package else f"{entry.kind} {entry.path.name}"
    if entry.link:
        return f"-> {entry.link}{' (gone)' if entry.lost else ''}"
    return "by Nerves" if entry.foreign else ""


def _document(entry: Entry) -> dict[str, object]:
    return {
        "name": entry.name,
        "path": str(entry.path),
        "package": entry.package,
        "version": entry.version,
        "host": entry.host,
        "checksum": entry.checksum,
        "bytes": entry.size,
        "used": int(entry.used),
        "link": str(entry.link) if entry.link else None,
        "kind": "foreign" if entry.foreign else entry.kind.value,
    }
