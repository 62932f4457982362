"""What every command gets: the output, and the configuration once it asks for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.output import Output

if TYPE_CHECKING:
    from lapstrake.config.model import Config


@dataclass(frozen=True, kw_only=True)  # no slots: cached_property keeps the configuration here
class AppContext:
    """The global options, and what follows from them.

    Attributes:
        config_dir: the folder of ``-c``, or ``None``.
        overrides: the settings of ``--set``, key → text.
        output: where the command tells what it does.
        umask: the user's file mode mask; ours is another.
    """

    config_dir: Path | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)
    output: Output = field(default_factory=Output)
    umask: int = 0o022

    @cached_property
    def config(self) -> Config:
        """The configuration, read at the first use; variables that mean nothing are warned of.

        Raises:
            ConfigError: it is missing or wrong.
        """
        from lapstrake.config.environment import unknown_variables
        from lapstrake.config.load import load_config

        loaded = load_config(self.config_dir, overrides=self.overrides)
        for warning in unknown_variables(os.environ, loaded):
            self.output.warn(warning)
        return loaded


pass_app = click.make_pass_decorator(AppContext, ensure=True)
"""Decorator: hand the `AppContext` to a command as its first argument."""
