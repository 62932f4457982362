"""``lapstrake config``: show and change the configuration."""

from __future__ import annotations

import json

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.lazy import WrappedGroup
from lapstrake.cli.output import table
from lapstrake.config.model import Config
from lapstrake.config.view import as_document, find, show_all, show_entries
from lapstrake.errors import ConfigError

_NOTHING = "-"


@click.group(cls=WrappedGroup, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
@pass_app
def config(app: AppContext, context: click.Context, as_json: bool) -> None:
    """Show and change the configuration.

    Without a subcommand: every value, and where it came from.
    """
    if context.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json goes with no subcommand", context)
        return
    if as_json:
        app.output.result(json.dumps(as_document(app.config), indent=2, ensure_ascii=False))
        return
    app.output.result(table(_rows(app.config), header=("KEY", "VALUE", "FROM")))


@config.command("get")
@click.argument("key")
@pass_app
def get(app: AppContext, key: str) -> None:
    """Print the value of KEY; a list's items one per line, nothing when it is not set.

    KEY may be a table (mirrors, rewrite, dependency_names, secrets, branches) or an entry of one,
    such as mirrors.PREFIX; a table's entries are printed as NAME = VALUE.
    """
    text = find(app.config, key)
    if text:
        app.output.result(text)


@config.command("set")
@click.argument("key")
@click.argument("value")
@pass_app
def set_(app: AppContext, key: str, value: str) -> None:
    """Set KEY to VALUE in the configuration's file.

    A list's items are divided by blanks, paths by colons. Tables: mirrors.PREFIX,
    dependency_names.NAME, secrets.NAME.env and secrets.NAME.file.
    """
    from lapstrake.config.edit import set_value
    from lapstrake.config.places import FILE_NAME, find_config_dir

    folder = find_config_dir(app.config_dir)
    if folder is None:
        raise ConfigError(
            "there is no configuration to change yet",
            resolution="Create one: lapstrake config init",
        )
    set_value(folder / FILE_NAME, key, value)
    app.output.say(f"{folder / FILE_NAME}: {key} is set")


@config.command("path")
@pass_app
def path(app: AppContext) -> None:
    """Print the folder of the configuration that holds; nothing for the built-in one."""
    from lapstrake.config.places import find_config_dir

    folder = find_config_dir(app.config_dir)
    if folder is None:
        app.output.say("the built-in configuration holds")
    else:
        app.output.result(str(folder))


@config.command("init")
@pass_app
def init(app: AppContext) -> None:
    """Write a starting configuration, with every key explained.

    It goes to the folder of -c or $LAPSTRAKE_CONFIG, otherwise to /etc/lapstrake for root and to
    the user's own folder for others.
    """
    from lapstrake.config.places import init_dir
    from lapstrake.config.start import write_start

    for file in write_start(init_dir(app.config_dir)):
        app.output.result(str(file))


def _rows(loaded: Config) -> list[tuple[str, str, str]]:
    return [
        (each.key, each.text.replace("\n", ", ") or _NOTHING, str(each.origin))
        for each in (*show_all(loaded), *show_entries(loaded))
    ]
