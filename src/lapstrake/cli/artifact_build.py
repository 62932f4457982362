"""``lapstrake artifact build``, ``archive``, ``shell`` and ``clean``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.artifact_place import open_project
from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import table

if TYPE_CHECKING:
    from lapstrake.artifact.building.build import Built

_builder = click.option(
    "--builder",
    type=click.Choice(("docker", "local", "root")),
    default=None,
    help="Build in a container, on the host, or in a root, instead of what the package says.",
)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--force", is_flag=True, help="Build although nothing has changed.")
@_builder
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Parallel jobs.")
@click.option("--offline", is_flag=True, help="Ask no site for what is needed besides.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@pass_app
def build(
    app: AppContext,
    /,
    names: tuple[str, ...],
    force: bool,
    builder: str | None,
    jobs: int | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Build the artifacts that are named and stale, and those that they need.

    Without a name it is all of the project in this folder. What was not named comes from its sites
    if they have it, and is built only where that was allowed: hours of building never start
    unasked.
    """
    from lapstrake.artifact.building.build import BuildRequest, build_artifacts

    request = BuildRequest(
        names=names, force=force, builder=builder or "", jobs=jobs, offline=offline
    )
    with open_project(app, offline=offline) as (project, depot, progress):
        done = build_artifacts(project, request, depot, progress)
    if as_json:
        app.output.result(json.dumps([_row(built) for built in done], indent=1))
        return
    for built in done:
        if built.log:
            app.output.say(f"built {built.identity.name} in {built.seconds:.1f} s: {built.log}")
    if not any(built.builder for built in done):
        app.output.say("nothing has changed: nothing was built")
    app.output.result(table([(built.package.name, str(built.path)) for built in done]))


@click.command()
@click.argument("name", default="")
@click.option(
    "--path", type=click.Path(file_okay=False, path_type=Path), help="The folder it is put into."
)
@pass_app
def archive(app: AppContext, /, name: str, path: Path | None) -> None:
    """Write the archive of an artifact into this folder, under the name that sites know it by.

    Without a name it is that of the project itself.
    """
    from lapstrake.artifact.building.workshop import write_archive

    with open_project(app) as (project, depot, progress):
        written = write_archive(project, name, depot, progress, folder=path or Path.cwd())
    app.output.result(str(written))


@click.command()
@click.argument("name", default="")
@_builder
@pass_app
def shell(app: AppContext, /, name: str, builder: str | None) -> None:
    """Open a shell where an artifact is built; what is changed there is kept.

    Without a name it is the project's system.
    """
    from lapstrake.artifact.building.workshop import open_shell

    with open_project(app) as (project, depot, progress):
        status = open_shell(project, name, depot, progress, builder=builder or "")
    click.get_current_context().exit(status)


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--all", "all_", is_flag=True, help="All packages of the project.")
@pass_app
def clean(app: AppContext, /, names: tuple[str, ...], all_: bool) -> None:
    """Remove artifacts, of whatever inputs, and the folders and volumes that they were built in.

    Archives in the folder of downloads stay.
    """
    from lapstrake.artifact.building.workshop import clean as clean_packages
    from lapstrake.errors import UsageError

    if bool(names) == all_:
        raise UsageError(
            "say which artifacts to clean",
            resolution="Name packages, or give --all, and not both.",
        )
    with open_project(app) as (project, depot, progress):
        for name in clean_packages(project, names, depot, progress):
            app.output.say(f"cleaned {name}")


def _row(built: Built) -> dict[str, object]:
    return {
        "package": built.package.name,
        "name": built.identity.name,
        "checksum": built.identity.checksum,
        "path": str(built.path),
        "archive": str(built.archive) if built.archive else None,
        "builder": built.builder or None,
        "log": str(built.log) if built.log else None,
        "seconds": round(built.seconds, 3),
    }
