"""``lapstrake exec`` and ``lapstrake shell``: a program takes our place, in the environment."""

from __future__ import annotations

import os
from contextlib import ExitStack

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.cross import cross_environment, cross_options
from lapstrake.errors import UsageError


@click.command("exec", context_settings={"allow_interspersed_args": False})
@cross_options
@click.argument("words", nargs=-1, required=True, metavar="COMMAND...", type=click.UNPROCESSED)
@pass_app
def exec_(
    app: AppContext,
    /,
    words: tuple[str, ...],
    target: str | None,
    profiles: tuple[str, ...],
    policy: str,
) -> int:
    """Run a command in the environment of the project's target.

    It takes lapstrake's place: signals reach it, and its exit status is ours; 127 if it is not
    found, 126 if it cannot be run. Until it ends nobody removes the project's artifacts.
    """
    from lapstrake.host.replace import replace_process

    with ExitStack() as held:
        made = cross_environment(app, target, profiles, policy, held=held)
        return replace_process(words, made.applied(os.environ), umask=app.umask)


@click.command()
@cross_options
@pass_app
def shell(
    app: AppContext,
    /,
    target: str | None,
    profiles: tuple[str, ...],
    policy: str,
) -> int:
    """Open a shell in the environment of the project's target.

    It is $SHELL; its prompt names the target. Until it ends nobody removes the project's artifacts.
    """
    from lapstrake.host import terminal
    from lapstrake.host.replace import replace_process
    from lapstrake.toolchain.files import write_files
    from lapstrake.toolchain.prompt import shell_start

    if not terminal.has_terminal():
        raise UsageError(
            "a shell needs a terminal",
            resolution="Give a command instead: lapstrake exec -- COMMAND...",
        )
    with ExitStack() as held:
        made = cross_environment(app, target, profiles, policy, held=held)
        environ = made.applied(os.environ)
        start = shell_start(environ, files=app.config.work_dir / "cross")
        write_files(start.files)
        return replace_process(start.argv, {**environ, **start.variables}, umask=app.umask)
