"""``lapstrake image plan``: learn how packages are best put into layers."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.errors import UsageError


@click.command()
@click.argument("indexes", nargs=-1, metavar="PACKAGES...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default="plan.json",
    show_default=True,
    help="The plan's file, for the setting images.plan.",
)
@click.option(
    "--budget",
    "budgets",
    type=click.IntRange(min=1),
    multiple=True,
    default=(10, 20, 40, 64, 94),
    show_default=True,
    help="Learn for so many layers; may be repeated.",
)
@click.option(
    "--images",
    type=click.IntRange(min=1),
    default=600,
    show_default=True,
    help="Learn from so many.",
)
@click.option(
    "--weeks",
    type=click.FloatRange(min=1),
    default=104,
    show_default=True,
    help="How long ago the release was made: debNuM in versions then tells rates of updates.",
)
@pass_app
def plan(
    app: AppContext,
    /,
    indexes: tuple[str, ...],
    output: Path,
    budgets: tuple[int, ...],
    images: int,
    weeks: float,
) -> None:
    """Learn a plan for layers from indexes of archives (`Packages`; - is standard input).

    Images are drawn at random, popular packages more often; what many others need is popular. The
    same index gives the same plan.
    """
    from lapstrake.grouping.archive import read_archive
    from lapstrake.grouping.learn import learn_plan
    from lapstrake.grouping.plan import render_plan
    from lapstrake.grouping.sample import Habits, Sampler, applications
    from lapstrake.host.files import write_atomic

    if not indexes:
        raise UsageError("no index is named", resolution="Name a file Packages, or - for stdin.")
    archive = read_archive([_read(index) for index in indexes])
    known = archive.knowledge(weeks=weeks)
    ranked = applications(archive, known.popularity)
    if not ranked:
        raise UsageError(f"{', '.join(indexes)}: no package that an image could be asked for")
    draws = Sampler(archive, ranked, Habits()).draw("plan")
    drawn = [image for _, image in islice(draws, images)]
    sources = {name: package.source for name, package in archive.packages.items()}
    with app.output.status(f"learning from {images} images"):
        learnt = learn_plan(drawn, sources, known, budgets=budgets)
    try:
        write_atomic(output, render_plan(learnt))
    except OSError as failed:
        raise UsageError(f"{output}: {failed.strerror}") from failed
    app.output.say(f"{output}: a plan for {', '.join(map(str, sorted(set(budgets))))} layers")


def _read(index: str) -> str:
    import gzip
    import lzma
    import zlib

    path = Path(index)
    try:
        data = sys.stdin.buffer.read() if index == "-" else path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        elif path.suffix == ".xz":
            data = lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as failed:
        raise UsageError(f"{index}: {getattr(failed, 'strerror', None) or failed}") from failed
    return data.decode("utf-8", "replace")
