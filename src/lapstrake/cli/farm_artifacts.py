"""``lapstrake task artifacts``: what a task made."""

from __future__ import annotations

from pathlib import Path

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.farm_connect import JSON, connect, json_text
from lapstrake.cli.farm_tasks import NUMBER
from lapstrake.cli.output import printable, table


@click.command()
@click.argument("task", type=NUMBER)
@click.option(
    "--download",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Download them, verified, into this folder.",
)
@JSON
@pass_app
def artifacts(app: AppContext, /, task: int, download: Path | None, as_json: bool) -> None:
    """List what TASK made, or download it."""
    from lapstrake.formats.amounts import size_text

    tasks = connect(app).tasks
    if download is not None:
        paths = [str(path) for path in tasks.download(task, download)]
        app.output.result(json_text(paths) if as_json else "\n".join(paths))
        return
    found = tasks.artifacts(task)
    if as_json:
        app.output.result(json_text(found))
    elif found:
        rows = [(printable(each.name), size_text(each.size), each.digest) for each in found]
        app.output.result(table(rows, header=("FILE", "SIZE", "DIGEST"), right={1}))
    else:
        app.output.say(f"task {task} has made nothing")
