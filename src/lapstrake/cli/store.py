"""``lapstrake store``: the room that layers take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.lazy import WrappedGroup
from lapstrake.cli.output import table
from lapstrake.cli.place import look_place

if TYPE_CHECKING:
    from lapstrake.layer.store import Layer

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=WrappedGroup)
def store() -> None:
    """See and reclaim the room that layers take."""


@store.command("du")
@_JSON
@pass_app
def du(app: AppContext, /, as_json: bool) -> None:
    """Show what the layers take, by kind."""
    from lapstrake.branch.room import measure
    from lapstrake.formats.amounts import size_text

    room = measure(look_place(app))
    if as_json:
        document = {
            "layers": {
                kind: {"bytes": size, "count": count}
                for kind, (size, count) in sorted(room.layers.items())
            },
            "layers_bytes": room.layers_total,
            "held_bytes": room.held,
            "workspaces_bytes": room.workspaces,
            "drafts_bytes": room.drafts,
            "budget_bytes": room.budget,
        }
        app.output.result(json.dumps(document, indent=2))
        return
    rows = [
        (kind, str(count), size_text(size)) for kind, (size, count) in sorted(room.layers.items())
    ]
    count = sum(number for _, number in room.layers.values())
    rows.append(("all layers", str(count), size_text(room.layers_total)))
    rows.append(("of these held by branches", "", size_text(room.held)))
    rows.append(("budget", "", size_text(room.budget)))
    rows.append(("drafts", "", size_text(room.drafts)))
    rows.append(("unfinished work", "", size_text(room.workspaces)))
    app.output.result(table(rows, header=("WHAT", "LAYERS", "SIZE"), right={1, 2}))


@store.command("gc")
@click.option("--budget", metavar="SIZE", help="Collect down to this.  [default: cache.budget]")
@click.option("--dry-run", is_flag=True, help="Only tell what would go.")
@_JSON
@pass_app
def gc(app: AppContext, /, budget: str | None, dry_run: bool, as_json: bool) -> None:
    """Remove the layers used longest ago until the rest fits the budget.

    What branches are made of and what is in use always stays; --budget 0 removes all the rest.
    """
    from lapstrake.branch.room import collect
    from lapstrake.config.units import parse_size
    from lapstrake.errors import UsageError
    from lapstrake.formats.amounts import age_text, size_text
    from lapstrake.place.kept import collect_packages

    place = look_place(app)
    try:
        limit = None if budget is None else parse_size(budget)
    except ValueError as wrong:
        raise UsageError(f"--budget: {wrong}") from wrong
    left_behind = 0 if dry_run else place.store.recover()
    gone = collect(place, budget=limit, dry_run=dry_run)
    freed = sum(layer.size for layer in gone)
    most = place.config.cache.budget if limit is None else limit
    files, files_size = collect_packages(place, budget=most, dry_run=dry_run)
    if as_json:
        rows = [{"key": layer.key.hex, "kind": layer.kind, "bytes": layer.size} for layer in gone]
        document = {"removed": rows, "bytes": freed, "package_files_bytes": files_size}
        app.output.result(json.dumps(document, indent=2))
        return
    lines = [
        (layer.key.short, _what(layer), size_text(layer.size), age_text(layer.used))
        for layer in gone
    ]
    if lines:
        app.output.result(table(lines, header=("LAYER", "WHAT", "SIZE", "USED"), right={2}))
    would = "would be " if dry_run else ""
    app.output.say(f"{len(gone)} layers {would}removed, {size_text(freed)} {would}freed")
    if files:
        size = size_text(files_size)
        app.output.say(f"{files} package files {would}removed, {size} {would}freed")
    if left_behind:
        app.output.say(f"{left_behind} leftovers of killed runs removed")


def _what(layer: Layer) -> str:
    """The kind of a layer; of a package also which."""
    names = ("name", "version") if layer.kind == "package" else ()
    return " ".join(
        [layer.kind, *(str(layer.facts[name]) for name in names if name in layer.facts)]
    )
