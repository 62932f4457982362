"""``lapstrake env``."""

from __future__ import annotations

import os
import sys

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.cross import cross_environment, cross_options


@click.command()
@click.option(
    "--format",
    "format_",
    type=click.Choice(("sh", "fish", "json", "make", "dotenv")),
    default="sh",
    show_default=True,
    help="Whose syntax.",
)
@cross_options
@pass_app
def env(
    app: AppContext,
    /,
    format_: str,
    target: str | None,
    profiles: tuple[str, ...],
    policy: str,
) -> None:
    """Print the environment of the project's target.

    \b
    eval "$(lapstrake env)"                 in a POSIX shell
    lapstrake env --format fish | source    in fish
    lapstrake env --format make >cross.mk   for a makefile to include

    The project is the lapstrake.toml of this folder, or of one above it. Its
    artifacts must be there: `lapstrake artifact get`. To enter it again is
    harmless: what an earlier time put in is taken out first.
    """  # noqa: D301 - click reads \b
    from lapstrake.toolchain.shells import Format, as_text

    made = cross_environment(app, target, profiles, policy)
    text = as_text(made.changes(os.environ), Format(format_))
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(text))  # variables need not be UTF-8
    sys.stdout.buffer.flush()
