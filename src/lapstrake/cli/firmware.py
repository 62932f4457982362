"""``lapstrake firmware``."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from lapstrake.cli.artifact_place import open_project
from lapstrake.cli.context import AppContext, pass_app


@click.command()
@click.argument("release", type=click.Path(path_type=Path), required=False)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The firmware; [firmware] output, else .nerves/images/NAME.fw, if not given.",
)
@pass_app
def firmware(app: AppContext, /, release: Path | None, output: Path | None) -> None:
    """Pack the project with its system's own script.

    RELEASE is the folder of the application's files; [firmware] release if not given. The system's
    scripts/rel2fw.sh runs in the project's folder, in the environment of `lapstrake env`.
    """
    from lapstrake.artifact.using.environment import Wish, project_environment
    from lapstrake.artifact.using.firmware import pack_firmware, plan_packing, with_choices
    from lapstrake.toolchain.files import write_files

    with open_project(app) as (project, depot, progress), ExitStack() as held:
        made = project_environment(project, depot, Wish(), held=held)
        write_files(made.files)
        chosen = with_choices(project, release=release, output=output)
        packing = plan_packing(chosen, made.applied(depot.environment))
        progress.headline(f"packing {project.name} {project.version}")
        packed = pack_firmware(packing, progress)
    app.output.result(str(packed))
