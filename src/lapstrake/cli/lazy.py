"""A group of commands that imports a command's module only when that command runs.

The help page, shell completion and "did you mean" all work from a table, so that they cost nothing
but the table, and keep working when a command's module is missing or broken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

_LONGEST_SENTENCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRow:
    """One command of the table.

    Attributes:
        name: the word on the command line.
        target: where it lives, ``package.module:function``.
        help: one line for the help page.
        section: the heading of the help page that it is listed under.
    """

    name: str
    target: str
    help: str
    section: str

    def load(self) -> click.Command:
        """Import the command.

        Raises:
            click.UsageError: this installation does not have the command's module.
        """
        module_name, _, attribute = self.target.partition(":")
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as missing:
            if missing.name != module_name:
                raise  # the module is there, but something that it needs is not
            raise click.UsageError(
                f"this installation lacks the command {self.name!r} ({module_name})"
            ) from missing
        command: object = getattr(module, attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self.target} is not a command")
        return command


def row(name: str, target: str, text: str) -> CommandRow:
    """A row of a group within the program: ``module:function`` of this package."""
    return CommandRow(name=name, target=f"lapstrake.cli.{target}", help=text, section="Commands")


class LazyGroup(click.Group):
    """A `click.Group` over a table of `CommandRow`."""

    def __init__(self, *args: Any, rows: Sequence[CommandRow] = (), **kwargs: Any) -> None:  # noqa: ANN401 - handed on
        super().__init__(*args, **kwargs)
        self.rows = {row.name: row for row in rows}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names in the table's order."""
        return [*self.rows, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one command that is asked for."""
        row = self.rows.get(cmd_name)
        return row.load() if row else super().get_command(ctx, cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or say which one was probably meant."""
        name = args[0]
        if not name.startswith("-") and name not in self.list_commands(ctx):
            raise click.UsageError(unknown_word("command", name, self.list_commands(ctx)), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002 - the signature is click's
        formatter: click.HelpFormatter,
    ) -> None:
        """List the table under its headings."""
        width = max((len(name) for name in self.rows), default=0)
        for section in dict.fromkeys(row.section for row in self.rows.values()):
            with formatter.section(section):
                formatter.write_dl(
                    [
                        (row.name.ljust(width), row.help)
                        for row in self.rows.values()
                        if row.section == section
                    ]
                )

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a command's name from the table, options as click does."""
        names = [
            CompletionItem(row.name, help=row.help)
            for row in self.rows.values()
            if row.name.startswith(incomplete)
        ]
        return names + click.Command.shell_complete(self, ctx, incomplete)


class WrappedGroup(click.Group):
    """A group whose help page tells the whole first sentence of each command, on more lines."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [
                    (name, command.get_short_help_str(_LONGEST_SENTENCE))
                    for name, command in found
                    if command is not None
                ]
            )


def unknown_word(what: str, word: str, known: Sequence[str]) -> str:
    """Say that a word is unknown, with the nearest known one if there is any near."""
    from difflib import get_close_matches  # slow to import, and only errors need it

    near = get_close_matches(word, known, n=1)
    return f"there is no {what} {word!r}" + (f"; did you mean {near[0]!r}?" if near else "")
