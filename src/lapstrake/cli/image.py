"""``lapstrake image``: make images of packages, and look at those that were made."""

from __future__ import annotations

import click

from lapstrake.cli.lazy import LazyGroup, row

ROWS = (
    row("build", "image_build:build", "Make an image of packages and all that they need."),
    row("layers", "image_layers:layers", "Show how an image's packages are put into layers."),
    row("plan", "image_plan:plan", "Learn how packages are best put into layers."),
    row("ls", "image_list:list_", "List the images that were made."),
    row("inspect", "image_list:inspect", "Show what an image is made of."),
    row("sbom", "image_sbom:sbom", "Print an image's bill of materials."),
    row("rm", "image_list:remove", "Forget images; `registry gc` then takes their blobs."),
)
"""The commands about images; the modules are imported when their command runs."""


@click.group(cls=LazyGroup, rows=ROWS)
def image() -> None:
    """Make images of packages, and look at those that were made."""
