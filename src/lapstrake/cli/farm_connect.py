"""From the command line's options to a `Farm`, and how its answers are printed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext
from lapstrake.errors import ConfigError, Interrupted
from lapstrake.farm.values.scopes import TOKEN_VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

    from lapstrake.farm.client.farm import Farm

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def connect(app: AppContext) -> Farm:
    """The farm that the configuration names; closed when the command ends.

    Raises:
        ConfigError: the token's file cannot be read.
        FarmError: the address or the token cannot be one.
    """
    from lapstrake.farm.client.farm import Farm

    settings = app.config.farm
    token = token_of(settings.token_file)
    farm = Farm(settings.server, token, on_wait=app.output.say)
    click.get_current_context().call_on_close(farm.close)
    return farm


def token_of(file: Path | None) -> str:
    """The token of our environment, else of a file; empty when there is neither.

    Raises:
        ConfigError: the file cannot be read.
    """
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    return token or (read_token(file) if file is not None else "")


def read_token(file: Path) -> str:
    """The token that a file has as its only line.

    Raises:
        ConfigError: it cannot be read, or is empty.
    """
    how = "Write the line that `lapstrake farm token add` printed into it."
    try:
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as refused:
        reason = refused.strerror if isinstance(refused, OSError) else "this is no text"
        raise ConfigError(f"farm.token_file: {file}: {reason}", resolution=how) from refused
    if not token:
        raise ConfigError(f"farm.token_file: {file} is empty", resolution=how)
    return token


def json_text(value: object) -> str:
    """Values of the farm as JSON for scripts."""
    from lapstrake.farm.client.answer import write

    return json.dumps(json.loads(write(value)), indent=2)


@contextmanager
def only_waiting(app: AppContext, what: str, how: str) -> Iterator[None]:
    """Say, when the user stops the waiting, that the farm goes on.

    Args:
        app: the command line's options.
        what: what goes on, ``task 7``.
        how: the command that stops it.
    """
    try:
        yield
    except Interrupted:
        app.output.say(f"{what} goes on; to stop it: {how}")
        raise
