"""The page of all commands."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from generators.markdown import NOTE, table
from lapstrake.cli.main import COMMANDS, cli


def command_line() -> str:
    """Every command with its arguments and options, from click's own tree."""
    parts = [
        NOTE,
        "# Command line\n",
        "Results go to the standard output, everything else to the standard error. "
        "Exit codes are in [their own page](exit-codes.md).\n",
        "## lapstrake\n",
        _command(cli, "lapstrake [OPTIONS] COMMAND ..."),
        "The global options stand before the command.\n",
    ]
    for row in COMMANDS:
        parts += _commands(row.load(), f"lapstrake {row.name}", level=2)
    return "\n".join(parts)


def _commands(command: click.Command, path: str, *, level: int) -> Iterator[str]:
    """A command's section, then those of its own commands."""
    yield f"{'#' * level} {path}\n"
    yield _command(command, _usage(command, path))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in sorted(command.list_commands(context)):
            if inner := command.get_command(context, name):
                yield from _commands(inner, f"{path} {name}", level=level + 1)


def _usage(command: click.Command, path: str) -> str:
    context = click.Context(command, info_name=path)
    return " ".join([path, *command.collect_usage_pieces(context)])


def _command(command: click.Command, usage: str) -> str:
    rows = [
        _option(parameter) for parameter in command.params if isinstance(parameter, click.Option)
    ]
    lines = [f"```text\n{usage}\n```\n", *_paragraphs(command.help or "")]
    if rows:
        lines.append(table(("option", "what it does"), rows))
    return "\n".join(lines)


def _paragraphs(text: str) -> Iterator[str]:
    """A help text: paragraphs that click keeps as they are become blocks."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        kept = paragraph.removeprefix("\b\n")
        yield f"{paragraph}\n" if kept == paragraph else f"```text\n{kept}\n```\n"


def _option(option: click.Option) -> tuple[str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    value = ""
    if not option.is_flag and not option.count:
        value = option.make_metavar(click.Context(cli)).replace("INTEGER RANGE", "NUMBER")
    text = (option.help or "").strip()
    return (f"{names} `{value}`" if value else names, text)
