"""``lapstrake artifact``: get, build and keep systems, toolchains and tools."""

from __future__ import annotations

import click

from lapstrake.cli.lazy import LazyGroup, row

ROWS = (
    row("get", "artifact_get:get", "Get the artifacts of a project: kept, downloaded, or found."),
    row("build", "artifact_build:build", "Build artifacts that are missing or stale."),
    row("archive", "artifact_build:archive", "Write the archive of an artifact that was built."),
    row("publish", "artifact_publish:publish", "Put an artifact's archive where sites look."),
    row("shell", "artifact_build:shell", "Open a shell where an artifact is built."),
    row("details", "artifact_details:details", "Show all that is known of an artifact."),
    row("ls", "artifact_look:list_", "List the artifacts that are kept here."),
    row("clean", "artifact_build:clean", "Remove an artifact and what it was built in."),
    row("prune", "artifact_look:prune", "Remove artifacts that nobody used for long."),
)
"""The commands about artifacts; the modules are imported when their command runs."""


@click.group(cls=LazyGroup, rows=ROWS)
def artifact() -> None:
    """Get, build and keep systems, toolchains and tools."""
