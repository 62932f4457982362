"""``lapstrake tree``: bundles in trees of bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.lazy import WrappedGroup
from lapstrake.cli.output import table

if TYPE_CHECKING:
    from lapstrake.bundle.tree import Tree, TreeBundle

_TREE = click.option(
    "--tree", "roots", multiple=True, type=click.Path(path_type=Path), metavar="DIR",
    help="A tree to look in; may be repeated.  [default: as configured]",
)  # fmt: skip
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=WrappedGroup)
def tree() -> None:
    """Find bundles in trees of bundles."""


@tree.command("list")
@_TREE
@_JSON
@pass_app
def list_(app: AppContext, /, roots: tuple[Path, ...], as_json: bool) -> None:
    """List all bundles."""
    found = [bundle for each in _trees(app, roots) for bundle in each.bundles]
    _show(app, found, as_json=as_json)


@tree.command("find")
@click.argument("name")
@_TREE
@_JSON
@pass_app
def find(app: AppContext, /, name: str, roots: tuple[Path, ...], as_json: bool) -> None:
    """Find the bundle NAME: its address, its folder's name or a package that it makes."""
    from lapstrake.bundle.tree import UnknownBundle

    *others, last = _trees(app, roots)
    for each in others:
        try:
            _show(app, [each.find(name)], as_json=as_json)
        except UnknownBundle:
            continue
        return
    _show(app, [last.find(name)], as_json=as_json)


def _trees(app: AppContext, roots: tuple[Path, ...]) -> list[Tree]:
    from lapstrake.bundle.tree import Tree
    from lapstrake.errors import UsageError

    chosen = roots or app.config.tree
    if not chosen:
        raise UsageError(
            "no tree of bundles is configured",
            resolution="Set `tree` in config.toml, or give --tree DIR.",
        )
    return [Tree(root) for root in chosen]


def _show(app: AppContext, found: list[TreeBundle], *, as_json: bool) -> None:
    if as_json:
        rows = [
            {"address": each.address, "path": str(each.path), "format": each.format.value}
            for each in found
        ]
        app.output.result(json.dumps(rows, indent=2))
    elif found:
        lines = [(each.address, each.format.value, str(each.path)) for each in found]
        app.output.result(table(lines))
