"""The program ``lapstrake``: its global options and the table of its commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from lapstrake import __version__
from lapstrake.cli.context import AppContext
from lapstrake.cli.errors import run_guarded
from lapstrake.cli.lazy import CommandRow, LazyGroup
from lapstrake.cli.output import Output, Verbosity

_BUILDING, _IMAGES, _BASE = "Building", "Images", "Base OS"
_CROSS = "Cross-compiling"
_FARM, _LOOKING, _SETTING_UP = "The farm", "Looking", "Setting up"


def _row(name: str, module: str, section: str, text: str) -> CommandRow:
    function = f"{name.replace('-', '_')}_" if name == "exec" else name.replace("-", "_")
    target = f"lapstrake.cli.{module}:{function}"
    return CommandRow(name=name, target=target, help=text, section=section)


COMMANDS: tuple[CommandRow, ...] = (
    _row("build", "build", _BUILDING, "Build bundles for a branch."),
    _row("fetch", "fetch", _BUILDING, "Fetch and verify the sources of bundles."),
    _row("tree", "tree", _BUILDING, "Find bundles in trees of bundles."),
    _row("registry", "registry", _IMAGES, "Serve images that are made when they are pulled."),
    _row("image", "image", _IMAGES, "Make images of packages, and look at those made."),
    _row("group-layers", "group_layers", _IMAGES, "Put a graph of store paths into layers."),
    _row("artifact", "artifact", _CROSS, "Get, build and keep systems, toolchains and tools."),
    _row("env", "cross_env", _CROSS, "Print the environment of the project's target."),
    _row("exec", "cross_run", _CROSS, "Run a command in that environment."),
    _row("shell", "cross_run", _CROSS, "Open a shell in that environment."),
    _row("firmware", "firmware", _CROSS, "Pack the project with its system's own script."),
    _row("load-baseos", "baseos", _BASE, "Load the base OS."),
    _row("update-baseos", "baseos", _BASE, "Update the packages of the base OS."),
    _row("branch", "branch", _BASE, "List and manage branches."),
    _row("cleanup", "cleanup", _BASE, "Remove instances, the base OS, or both."),
    _row("serve", "serve", _FARM, "Serve a farm: API, queue, builder and pages."),
    _row("worker", "worker", _FARM, "Let this machine build for a farm."),
    _row("task", "farm_task", _FARM, "Submit builds to a farm, and follow them."),
    _row("group", "farm_group", _FARM, "Submit bundles that need each other, and follow them."),
    _row("farm", "farm", _FARM, "Look at a farm and run one: workers, tokens, backups, units."),
    _row("log", "log", _LOOKING, "Show the log of a build."),
    _row("history", "history", _LOOKING, "List the builds so far."),
    _row("why", "why", _LOOKING, "Explain a decision, such as why something was built again."),
    _row("store", "store", _LOOKING, "See and reclaim the room that layers take (du, gc)."),
    _row(
        "doctor", "doctor", _SETTING_UP, "Check what this host can do, and how to make it do more."
    ),
    _row("config", "config", _SETTING_UP, "Show and change the configuration."),
    _row("completion", "completion", _SETTING_UP, "Print the completion script of a shell."),
)
"""Every command; the modules are imported when their command runs."""


@click.command(
    cls=LazyGroup,
    rows=COMMANDS,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "-c",
    "--config",
    "config_dir",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="The configuration's folder (or $LAPSTRAKE_CONFIG).",
)
@click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    callback=lambda _context, _option, values: _overrides(values),
    help="A setting for this run; may be repeated.",
)
@click.option("-v", "--verbose", is_flag=True, help="Tell more.")
@click.option("-q", "--quiet", is_flag=True, help="Tell results and errors only.")
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    is_eager=True,
    expose_value=False,
    callback=lambda _context, _option, value: _choose_color(value),
    help="Whether messages are coloured; auto heeds $NO_COLOR.",
)
@click.version_option(__version__, prog_name="lapstrake", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    context: click.Context,
    config_dir: Path | None,
    overrides: Mapping[str, str],
    verbose: bool,
    quiet: bool,
) -> None:
    """Turn package sources into packages, each in a clean root that is thrown away."""
    if verbose and quiet:
        raise click.UsageError("-v and -q exclude each other", context)
    verbosity = Verbosity(Verbosity.NORMAL + verbose - quiet)
    umask = os.umask(0o022)  # roots are made of our files: a private mask would lock users out
    context.obj = AppContext(
        config_dir=config_dir,
        overrides=overrides,
        output=Output(verbosity=verbosity),
        umask=umask,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Args:
        argv: the arguments; ``sys.argv`` without the program's name when ``None``.

    Returns:
        the exit status; a command that returns an integer chooses it.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)

    def work() -> int:
        value: object = cli.main(arguments, prog_name="lapstrake", standalone_mode=False)
        return value if isinstance(value, int) else 0

    return run_guarded(work)


def _overrides(values: Sequence[str]) -> Mapping[str, str]:
    """Read ``KEY=VALUE`` words; the last one of a key holds."""
    pairs = [value.partition("=") for value in values]
    for key, equals, _ in pairs:
        if not key or not equals:
            raise click.BadParameter(f"{key!r} is not KEY=VALUE")
    return {key.strip(): text for key, _, text in pairs}


def _choose_color(value: str) -> None:
    """Put the choice where every library looks for it, ours included."""
    if value != "auto":
        name, other = ("FORCE_COLOR", "NO_COLOR")[:: 1 if value == "always" else -1]
        os.environ[name] = "1"
        os.environ.pop(other, None)
