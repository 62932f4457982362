"""``lapstrake artifact get``: the artifacts of a project, from wherever they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.artifact_place import byte_teller, open_project
from lapstrake.cli.context import AppContext, pass_app

if TYPE_CHECKING:
    from lapstrake.artifact.getting.found import Got
    from lapstrake.artifact.getting.receipt import Question


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
    from lapstrake.artifact.getting.receipt import Question

    question = Question(Path.cwd(), config_dir=app.config_dir, settings=app.overrides, names=names)
    rows = question.recall()
    if rows is not None:
        _print(app, rows, as_json=as_json)
    else:
        _look(app, names, question, offline=offline, as_json=as_json)


def _look(
    app: AppContext, names: tuple[str, ...], question: Question, *, offline: bool, as_json: bool
) -> None:
    """Go the whole way."""
    from lapstrake.artifact.getting.flow import check_found, choose, get_each, terms_of
    from lapstrake.artifact.getting.found import Got

    with open_project(app, offline=offline) as (project, depot, progress):
        terms = terms_of(depot, offline=offline, on_bytes=byte_teller(progress))
        found = get_each(project, choose(project, names), depot, terms, progress)
        got = [each for each in found if isinstance(each, Got)]
        _print(app, [_row(each) for each in got], as_json=as_json)
        check_found(found, depot, progress, named=bool(names), offline=terms.offline)
    if len(got) == len(found) and all(each.is_kept_in(depot) for each in got):
        kept = [(each, {**_row(each), "from": "kept", "site": ""}) for each in got]
        question.remember(project, depot, kept)


def _print(app: AppContext, rows: list[dict[str, str]], *, as_json: bool) -> None:
    """A line each, which no terminal's width breaks: paths are there to be copied."""
    if as_json:
        app.output.result(json.dumps(rows, indent=1))
    width = max((len(row["package"]) for row in rows), default=0)
    for row in () if as_json else rows:
        source = row["site"] or row["from"]
        app.output.result(f"{row['package']:{width}}  {row['path']}  {source}")


def _row(got: Got) -> dict[str, str]:
    return {
        "package": got.package.name,
        "name": got.identity.name,
        "checksum": got.identity.checksum,
        "from": "site" if got.site else got.where.value,
        "site": got.site,
        "path": str(got.path),
    }
