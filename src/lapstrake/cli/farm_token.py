"""``lapstrake farm token``: who may do what. On the server's machine: it opens the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.farm_connect import JSON, json_text
from lapstrake.cli.lazy import WrappedGroup
from lapstrake.cli.output import printable, table
from lapstrake.farm.values.scopes import Scope

if TYPE_CHECKING:
    from lapstrake.farm.access.tokens import Token, Tokens


@click.group(cls=WrappedGroup)
def token() -> None:
    """Add, list and remove tokens; run this on the server's machine, as the server's user."""


@token.command("add")
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice([str(scope) for scope in Scope]),
    default="submit",
    show_default=True,
    help="What it allows; each includes those before it, but worker, which stands apart.",
)
@click.option("--expires", metavar="DURATION", help="It ends after so long: 30d.  [default: never]")
@JSON
@pass_app
def add(app: AppContext, /, name: str, scope: str, expires: str | None, as_json: bool) -> None:
    """Make a token for NAME and print it, alone on stdout; it cannot be had again."""
    from lapstrake.config.units import parse_duration
    from lapstrake.errors import UsageError

    if not name.strip() or not name.isprintable():
        raise UsageError("a token needs a name that can be printed")
    try:
        seconds = parse_duration(expires) if expires else 0.0
    except ValueError as wrong:
        raise UsageError(f"--expires: {wrong}") from wrong
    with _tokens(app) as tokens:
        made, secret = tokens.add(name, Scope(scope), seconds=seconds)
    if as_json:
        app.output.result(json_text({"token": made, "secret": secret}))
        return
    app.output.say(f"the token of {printable(name)} ({scope}); it is shown only now:")
    app.output.result(secret)


@token.command("list")
@JSON
@pass_app
def list_(app: AppContext, /, as_json: bool) -> None:
    """List the tokens, never the secrets."""
    with _tokens(app) as tokens:
        found = tokens.all()
    if as_json:
        app.output.result(json_text(found))
    elif found:
        header = ("TOKEN", "SCOPE", "MADE", "LAST USED", "ENDS")
        app.output.result(table([_row(each) for each in found], header=header))
    else:
        app.output.say("there is no token yet: only this machine can reach the farm")


@token.command("remove")
@click.argument("name")
@pass_app
def remove(app: AppContext, /, name: str) -> None:
    """Take the token of NAME back; it means nothing from now on."""
    with _tokens(app) as tokens:
        tokens.remove(name)
    app.output.say(f"the token of {printable(name)} is removed")


@contextmanager
def _tokens(app: AppContext) -> Iterator[Tokens]:
    from lapstrake.cli.farm_needs import needs_farm

    with needs_farm():
        from lapstrake.farm.access.tokens import Tokens
        from lapstrake.farm.operations.migrating import open_tables
    with open_tables(app.config) as database:
        yield Tokens(database)


def _row(each: Token) -> tuple[str, ...]:
    from lapstrake.formats.amounts import age_text, time_text

    return (
        printable(each.name),
        str(each.scope),
        age_text(each.created),
        age_text(each.used) if each.used else "never",
        time_text(each.expires) if each.expires else "never",
    )
