"""``lapstrake task log``: what a task printed, also while it does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.farm_connect import connect, only_waiting
from lapstrake.cli.farm_tasks import NUMBER
from lapstrake.cli.output import printed

if TYPE_CHECKING:
    from lapstrake.farm.client.farm import Farm
    from lapstrake.farm.values.tasks import TaskState


@click.command()
@click.argument("task", type=NUMBER)
@click.option("--follow", "-f", is_flag=True, help="Go on until the task ends.")
@click.option("--attempt", type=NUMBER, help="Of this attempt.  [default: the newest]")
@click.option("--tail", "-n", type=click.IntRange(1), metavar="N", help="Only the last N lines.")
@pass_app
def log(app: AppContext, /, task: int, follow: bool, attempt: int | None, tail: int | None) -> None:
    """Show the log of TASK as far as it is."""
    farm = connect(app)
    start = 0
    if tail is not None or not follow:
        text = farm.tasks.log(task, attempt=attempt, lines=tail)
        _show(text.data, sys.stdout)
        attempt, start = text.attempt, text.end
    if follow:
        with only_waiting(app, f"task {task}", f"lapstrake task cancel {task}"):
            state = follow_log(app, farm, task, attempt=attempt or 0, start=start)
        app.output.say(f"task {task}: {state}")


def follow_log(
    app: AppContext,
    farm: Farm,
    task: int,
    *,
    attempt: int = 0,
    start: int = 0,
    stream: TextIO | None = None,
) -> TaskState | None:
    """Print a task's log until the task ends; gives how it ended.

    Args:
        app: the command line's options.
        farm: the server.
        task: which.
        attempt: begin with this one; 0 for the newest.
        start: begin at this byte of it.
        stream: where to; standard output when ``None``.
    """
    follower = farm.tasks.follow(task, attempt=attempt, offset=start)
    shown = attempt
    for piece in follower:
        if shown and piece.attempt != shown:
            app.output.warn(f"attempt {shown} was lost; attempt {piece.attempt} begins anew")
        shown = piece.attempt
        _show("\n".join([*piece.lines, ""]).encode(), stream or sys.stdout)
    return follower.state


def _show(piece: bytes, stream: TextIO) -> None:
    """As it is to a file; a terminal is spared what would move its cursor."""
    if stream.isatty():
        stream.write(printed(piece.decode("utf-8", "replace"), stream))
    else:
        stream.buffer.write(piece)
    stream.flush()
