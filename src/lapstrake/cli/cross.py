"""What the commands of the cross environment share: their options, and the environment itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import click

from lapstrake.cli.artifact_place import open_depot, open_project
from lapstrake.cli.context import AppContext

if TYPE_CHECKING:
    from lapstrake.toolchain.base import CrossEnvironment

_PROFILES = ("compiler", "autotools", "cmake", "meson", "rust", "go", "erlang")
_POLICIES = ("append", "replace")


def cross_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--target``, ``--profile`` and ``--flags`` to a command."""
    options = (
        click.option(
            "--target",
            metavar="TUPLE",
            help="Use Debian's cross compiler for this target, and no project.",
        ),
        click.option(
            "--profile",
            "profiles",
            multiple=True,
            type=click.Choice(_PROFILES),
            help="Only the variables of this tool, and the compiler's; may be repeated.",
        ),
        click.option(
            "--flags",
            "policy",
            type=click.Choice(_POLICIES),
            default="append",
            show_default=True,
            help="Whether CFLAGS and the like that are set already come behind ours, or go.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def cross_environment(
    app: AppContext,
    target: str | None,
    profiles: tuple[str, ...],
    policy: str,
    *,
    held: ExitStack | None = None,
) -> CrossEnvironment:
    """Compute the environment of the project in the current folder, or of a target.

    Its generated files are there afterwards; what there is to know is told with ``-v``. `held` is
    as of `project_environment`.

    Raises:
        LapstrakeError: it cannot be had; says why.
    """
    from lapstrake.artifact.using import environment as cross
    from lapstrake.toolchain.base import CrossEnvironment, FlagPolicy
    from lapstrake.toolchain.files import write_files
    from lapstrake.toolchain.make import ProfileName

    if cross.DISABLED in os.environ:
        app.output.say(f"{cross.DISABLED} is set: the environment stays as it is")
        return CrossEnvironment()
    wish = cross.Wish(profiles=tuple(map(ProfileName, profiles)), policy=FlagPolicy(policy))
    if target is not None:
        made = cross.target_environment(target, open_depot(app), wish)
    else:
        with open_project(app) as (project, depot, _):
            made = cross.project_environment(project, depot, wish, held=held)
    for note in made.notes:
        app.output.detail(note)
    write_files(made.files)
    return made
