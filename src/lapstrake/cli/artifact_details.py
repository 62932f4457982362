"""``lapstrake artifact details``, and ``lapstrake why artifact``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.artifact_place import open_project
from lapstrake.cli.context import AppContext, pass_app
from lapstrake.cli.output import printable, table

if TYPE_CHECKING:
    from lapstrake.artifact.details import Details

_SHOWN = 12  # changed files


@click.command()
@click.argument("name", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--copy-fwup-conf",
    "fwup_conf",
    type=click.Path(path_type=Path),
    help="Also copy the fwup.conf of a system to this file or folder.",
)
@pass_app
def details(app: AppContext, /, name: str, as_json: bool, fwup_conf: Path | None) -> None:
    """Show all that is known of an artifact: names, checksums, places, sites.

    Without a name it is that of the project in this folder. Nothing is downloaded or built.
    """
    from lapstrake.artifact.details import copy_fwup_conf, details_of, find_package

    with open_project(app) as (project, depot, _progress):
        found = details_of(project, find_package(project, name), depot)
    if fwup_conf is not None:
        copy_fwup_conf(found.status, fwup_conf)
    if as_json:
        app.output.result(json.dumps(found.document, indent=1))
        return
    app.output.result(printable(table(list(_rows(found)))))


def explain_artifacts(app: AppContext, name: str) -> list[str]:
    """Tell of a project's artifacts why each is used or stale, and what a build would do.

    Args:
        app: the command line's options.
        name: of a package; all of the project's that have an artifact when it is empty.

    Raises:
        ProjectError: there is no project here, or it is wrong.
        UsageError: there is no such package.
    """
    from lapstrake.artifact.details import details_of, find_package

    lines: list[str] = []
    with open_project(app) as (project, depot, _progress):
        packages = (
            [find_package(project, name)]
            if name
            else [each for each in project.packages if not each.type.is_platform]
        )
        for package in packages:
            lines += ["", *_explained(details_of(project, package, depot))]
    return lines[1:] or [f"{project.name} depends on nothing that has an artifact"]


def _rows(found: Details) -> list[tuple[str, str]]:
    document = found.document
    names = (
        ("package", "package"), ("type", "type"), ("version", "version"), ("target", "target"),
        ("folder", "folder"), ("checksum", "checksum"), ("short checksum", "short_checksum"),
        ("name", "name"), ("download name", "download_name"), ("file", "file"),
        ("archive", "archive"), ("state", "reason"), ("path", "path"),
        ("base folder", "base_dir"), ("build path", "build_path"), ("override", "override"),
    )  # fmt: skip
    rows = [(title, str(document[key] or "-")) for title, key in names]
    sites = found.sites or ("-",)
    return rows + [("sites" if not n else "", site) for n, site in enumerate(sites)]


def _explained(found: Details) -> list[str]:
    """One artifact: what is so, and why."""
    status, package = found.status, found.status.package
    count = len(status.inputs.files)
    state = "stale" if status.stale else status.where.value
    rows = [
        ("because", status.reason),
        ("wanted", status.identity.download_name),
        ("made from", f"{count} file{'' if count == 1 else 's'} below {package.folder}"),
    ]
    rows += [("changed", name) for name in status.changed[:_SHOWN]]
    if len(status.changed) > _SHOWN:
        rows.append(("", f"and {len(status.changed) - _SHOWN} more"))
    rows += [("stands for nothing", entry) for entry in status.inputs.unmatched]
    if status.path is not None:
        rows.append(("used", str(status.path)))
    rows.append(("a build", found.fate))
    rows += [("needed by", name) for name in found.needed_by]
    rows += [("site", site) for site in found.sites]
    title = f"{package.name} {package.version} ({package.type}): {state}"
    return [title, *(f"  {line}" for line in table(rows).splitlines())]
