"""``lapstrake image layers``: how an image's packages are put into layers, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table
from lapstrake.cli.place import open_place
from lapstrake.errors import UsageError

if TYPE_CHECKING:
    from lapstrake.grouping.base import Graph, Group

_SHOWN = 6  # members that a line of the table names


@click.command()
@click.argument("packages", nargs=-1, metavar="PACKAGE...")
@click.option("-b", "--branch", "tag", default="latest", help="Of this branch (or Nix revision).")
@click.option("--budget", type=click.IntRange(min=1), help="The most layers.")
@click.option("--strategy", type=click.Choice(["expected", "nixery"]), help="How they are chosen.")
@click.option("--svg", type=click.Path(path_type=Path), metavar="FILE", help="Draw a picture.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def layers(
    app: AppContext,
    /,
    packages: tuple[str, ...],
    tag: str,
    budget: int | None,
    strategy: str | None,
    svg: Path | None,
    as_json: bool,
) -> None:
    """Show how the packages of an image are put into layers, and why.

    The layers of packages only: those of the base OS and of the configuration are not chosen.
    """
    from dataclasses import replace

    from lapstrake.config.model import Strategy
    from lapstrake.grouping.picture import draw
    from lapstrake.host.files import write_atomic
    from lapstrake.image.make import image_groups
    from lapstrake.image.names import read_words

    if not packages:
        raise UsageError("no package is named", resolution="Name one, or a set such as shell.")
    request = read_words(app.config, packages, tag)[0]
    if budget is not None:
        request = replace(request, budget=budget)
    if strategy is not None:
        request = replace(request, strategy=Strategy(strategy))
    graph, groups = image_groups(open_place(app), request)
    if svg is not None:
        try:
            write_atomic(svg, draw(graph, groups, title=" ".join(packages)).encode())
        except OSError as failed:
            raise UsageError(f"{svg}: {failed.strerror}") from failed
    app.output.result(_json(graph, groups) if as_json else _text(graph, groups))


def _json(graph: Graph, groups: Sequence[Group]) -> str:
    document = [
        {
            "size": sum(graph.nodes[name].size for name in group.members),
            "reason": group.reason,
            "rating": group.rating,
            "members": list(group.members),
        }
        for group in groups
    ]
    return json.dumps(document, indent=2)


def _text(graph: Graph, groups: Sequence[Group]) -> str:
    from lapstrake.formats.amounts import size_text

    rows = []
    for number, group in enumerate(groups, start=1):
        size = sum(graph.nodes[name].size for name in group.members)
        more = len(group.members) - _SHOWN
        names = " ".join(group.members[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        rating = f"{group.rating:,.0f}"
        rows.append((str(number), size_text(size), rating, group.reason, names))
    header = ("LAYER", "SIZE", "RATING", "WHY", "PACKAGES")
    return table(rows, header=header, right={0, 1, 2})
