"""``lapstrake completion``: the script that makes a shell complete our command line."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from lapstrake.cli.context import AppContext, pass_app

_VARIABLE = "_LAPSTRAKE_COMPLETE"  # the name that click derives from the program's


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
@pass_app
def completion(app: AppContext, context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    Write it to this file, and start a new shell:

    \b
    bash  ~/.local/share/bash-completion/completions/lapstrake
    zsh   _lapstrake in a folder of $fpath
    fish  ~/.config/fish/completions/lapstrake.fish
    """  # noqa: D301 - click reads \b
    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"click knows no completion for {shell}", context)
    root = context.find_root().command
    app.output.result(script(root, {}, "lapstrake", _VARIABLE).source().strip())
