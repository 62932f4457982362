"""``lapstrake artifact get``: the artifacts of a project, from wherever they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from lapstrake.cli.artifact_place import byte_teller, open_project
from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table

if TYPE_CHECKING:
    from lapstrake.artifact.found import Got


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--offline", is_flag=True, help="Ask no site on the network.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def get(app: AppContext, /, names: tuple[str, ...], offline: bool, as_json: bool) -> None:
    """Get the artifacts of the project in this folder, or those that are named.

    Looks at the artifacts that are kept, at archives that were downloaded before, and at the
    packages' sites in their order. Fails when one is nowhere, and tells what was tried.
    """
    from lapstrake.artifact.flow import check_found, choose, get_each, terms_of
    from lapstrake.artifact.found import Got

    with open_project(app, offline=offline) as (project, depot, progress):
        terms = terms_of(depot, offline=offline, on_bytes=byte_teller(progress))
        found = get_each(project, choose(project, names), depot, terms, progress)
        _print(app, [each for each in found if isinstance(each, Got)], as_json=as_json)
        check_found(found, depot, progress, named=bool(names), offline=terms.offline)


def _print(app: AppContext, found: list[Got], *, as_json: bool) -> None:
    if as_json:
        app.output.result(json.dumps([_row(got) for got in found], indent=1))
    elif found:
        app.output.result(table([_cells(got) for got in found]))


def _row(got: Got) -> dict[str, str]:
    return {
        "package": got.package.name,
        "name": got.identity.name,
        "checksum": got.identity.checksum,
        "from": got.where.value if not got.site else "site",
        "site": got.site,
        "path": str(got.path),
    }


def _cells(got: Got) -> tuple[str, ...]:
    return (got.package.name, got.site or got.where.value, str(got.path))
