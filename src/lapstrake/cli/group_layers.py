"""``lapstrake group-layers``: a graph of references in, layers out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.errors import UsageError

_STANDARD = Path("-")


@click.command("group-layers")
@click.option(
    "--graph",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default=".attrs.json",
    show_default=True,
    help="Nix's graph of references; - is standard input.",
)
@click.option(
    "--popularity",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="How popular each package is.  [default: popularity.json, if it is there]",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    default="layers.json",
    show_default=True,
    help="Where the layers go; - is standard output.",
)
@click.option(
    "--budget", type=click.IntRange(min=1), default=94, show_default=True, help="The most layers."
)
@click.option(
    "--strategy",
    type=click.Choice(["nixery", "expected"]),
    default="nixery",
    show_default=True,
    help="How they are chosen.",
)
@pass_app
def group_layers(
    app: AppContext,
    /,
    graph: Path,
    popularity: Path | None,
    output: Path,
    budget: int,
    strategy: str,
) -> None:
    """Put the store paths of a graph of references into layers.

    The answer is a list of objects, each with the paths of one layer under `contents`.
    """
    from lapstrake.grouping.base import Knowledge
    from lapstrake.grouping.choose import group_packages
    from lapstrake.grouping.references import parse_popularity, parse_references, render_layers
    from lapstrake.host.files import write_atomic

    references = parse_references(_read(graph), name=str(graph))
    table = {}
    if popularity or Path("popularity.json").exists():
        file = popularity or Path("popularity.json")
        table = parse_popularity(_read(file), name=str(file))
    groups = group_packages(
        references, Knowledge(popularity=table), budget=budget, strategy=strategy
    )
    text = render_layers(groups)
    if output == _STANDARD:
        app.output.result(text.rstrip("\n"))
        return
    try:
        write_atomic(output, text.encode())
    except OSError as failed:
        raise UsageError(f"{output}: {failed.strerror}") from failed


def _read(file: Path) -> bytes:
    if file == _STANDARD:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as failed:
        raise UsageError(f"{file}: {failed.strerror}") from failed
