"""``lapstrake log``: what a build printed, also while it runs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

import click

from lapstrake.cli.context import AppContext, pass_app

if TYPE_CHECKING:
    from lapstrake.build.record import Records

_PERIOD = 0.2
_PIECE = 1 << 16


@click.command()
@click.argument("build", default="")
@click.option("--follow", "-f", is_flag=True, help="Go on until the build ends.")
@click.option("--tail", "-n", type=click.IntRange(0), metavar="N", help="Only the last N lines.")
@click.option("--path", "only_path", is_flag=True, help="Print where the log is.")
@pass_app
def log(app: AppContext, /, build: str, follow: bool, tail: int | None, only_path: bool) -> None:
    """Show the log of BUILD: an id, its beginning, or a bundle's name; else the newest one."""
    from lapstrake.build.record import Records

    records = Records(app.config.work_dir / "builds")
    record = records.find(build)
    path = records.log_path(record.id)
    if only_path:
        app.output.result(str(path))
        return
    with path.open("rb") as file:
        if tail is not None:
            _seek_tail(file, tail)
        for piece in _pieces(file, records, record.id) if follow else iter(file):
            _show(piece)


def _pieces(file: BinaryIO, records: Records, build_id: str) -> Iterator[bytes]:
    """What there is, then what comes, until the build has ended and all of it was read."""
    while True:
        ended = not is_running(records, build_id)  # looked at first: nothing comes afterwards
        while piece := file.read(_PIECE):
            yield piece
        if ended:
            return
        time.sleep(_PERIOD)


def is_running(records: Records, build_id: str) -> bool:
    """Whether a build still runs."""
    from lapstrake.build.record import BuildState

    record = records.read(build_id)
    return record is not None and record.state is BuildState.RUNNING


def _seek_tail(file: BinaryIO, lines: int) -> None:
    """Go to where the last lines begin, reading backwards."""
    position = file.seek(0, os.SEEK_END)
    wanted = lines + 1  # the newline that ends the line before
    after = b""
    while position > 0 and after.count(b"\n") < wanted:
        step = min(_PIECE, position)
        position -= step
        file.seek(position)
        after = file.read(step) + after
    kept = after.splitlines(keepends=True)[-lines:] if lines else []
    file.seek(-sum(map(len, kept)), os.SEEK_END)


def _show(piece: bytes) -> None:
    """As it is to a file; a terminal is spared what would move its cursor."""
    if sys.stdout.isatty():
        from lapstrake.cli.output import printed

        sys.stdout.write(printed(piece.decode("utf-8", "replace"), sys.stdout))
    else:
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()
