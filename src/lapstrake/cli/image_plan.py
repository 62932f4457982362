"""``lapstrake image plan``: learn how packages are best put into layers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lapstrake.cli.context import AppContext, pass_app
from lapstrake.errors import UsageError

if TYPE_CHECKING:
    from lapstrake.grouping.archive import Archive

_FILE = Path("plan.json")


@click.command()
@click.argument("indexes", nargs=-1, metavar="[PACKAGES]...")
@click.option("-b", "--branch", "tag", help="Learn from this branch's index.")
@click.option(
    "--popcon",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Popular is what Debian's popularity contest counts (by_inst).",
)
@click.option(
    "--pulls",
    type=click.Path(path_type=Path),
    metavar="LOG",
    help="Popular is what was pulled, by a registry's log of requests.",
)
@click.option("--pulled", is_flag=True, help="Popular is what our registry made images of.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="For the setting images.plan.  [default: plan.json; the branch's own plan]",
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
    default=300,
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
    tag: str | None,
    popcon: Path | None,
    pulls: Path | None,
    pulled: bool,
    output: Path | None,
    budgets: tuple[int, ...],
    images: int,
    weeks: float,
) -> None:
    """Learn a plan for layers from a branch, or indexes of archives (`Packages`; - is stdin).

    Images are drawn at random, popular packages more often; unless told otherwise, popular is what
    many others need. The same index gives the same plan. Each branch learns one by itself at its
    first image; here it learns anew, or writes a file that pins the plan on several machines.
    """
    from lapstrake.grouping.archive import read_archive

    if bool(indexes) == (tag is not None):
        raise UsageError(
            "name either indexes or a branch", resolution="Give files Packages, or -b BRANCH."
        )
    if (popcon is not None) + (pulls is not None) + pulled > 1:
        raise UsageError("--popcon, --pulls and --pulled exclude each other")

    def popularity(archive: Archive) -> Mapping[str, float] | None:
        return _popularity(app, archive, popcon, pulls, pulled=pulled)

    if tag is not None and output is None:
        _learn_anew(app, tag, popularity)
        return
    archive = _branch_index(app, tag) if tag else read_archive([_read(each) for each in indexes])
    _write_plan(app, archive, popularity(archive), output or _FILE, budgets, images, weeks)


def _write_plan(
    app: AppContext,
    archive: Archive,
    popularity: Mapping[str, float] | None,
    output: Path,
    budgets: tuple[int, ...],
    images: int,
    weeks: float,
) -> None:
    from lapstrake.grouping.plan import render_plan
    from lapstrake.grouping.study import study_archive
    from lapstrake.host.files import write_atomic
    from lapstrake.image.branch_plan import habits_of

    with app.output.status(f"learning from {images} images"):
        learnt = study_archive(
            archive, budgets=budgets, images=images, weeks=weeks, popularity=popularity,
            habits=habits_of(app.config),
        )  # fmt: skip
    try:
        write_atomic(output, render_plan(learnt))
    except OSError as failed:
        raise UsageError(f"{output}: {failed.strerror}") from failed
    app.output.say(f"{output}: a plan for {', '.join(map(str, sorted(set(budgets))))} layers")


def _learn_anew(
    app: AppContext, tag: str, popularity_of: Callable[[Archive], Mapping[str, float] | None]
) -> None:
    """Learn again what the branch has learnt, and what its next image needs."""
    from lapstrake.branch.instance import enter_branch
    from lapstrake.cli.place import open_place
    from lapstrake.image.branch_plan import keep, kept_name, kept_names, learn, read_index
    from lapstrake.image.names import branch_of

    place = open_place(app)
    branch = enter_branch(place, branch_of(app.config, tag))
    usual = kept_name(app.config.images.budget, base=app.config.images.base)
    names = sorted({*kept_names(place, branch.name), usual})
    with app.output.status(f"learning {', '.join(names)}"):
        archive, release = read_index(place, branch)
        popularity = popularity_of(archive)
        learnt = {name: learn(place, branch, archive, name, popularity) for name in names}
    for file in keep(place, branch.name, release, learnt):
        app.output.say(f"{branch.name}: learnt {file.name}")


def _branch_index(app: AppContext, tag: str) -> Archive:
    from lapstrake.branch.instance import enter_branch
    from lapstrake.cli.place import open_place
    from lapstrake.image.branch_plan import read_index
    from lapstrake.image.names import branch_of

    place = open_place(app)
    return read_index(place, enter_branch(place, branch_of(app.config, tag)))[0]


def _popularity(
    app: AppContext, archive: Archive, popcon: Path | None, pulls: Path | None, *, pulled: bool
) -> Mapping[str, float] | None:
    """How popular packages are, as far as somebody has counted; others by what needs them."""
    from lapstrake.cli.popular import count_installations, count_made, count_pulls, with_others

    if popcon is not None:
        counts = count_installations(_read(str(popcon)))
        what = str(popcon)
    elif pulls is not None:
        counts = count_pulls(app.config, _read(str(pulls)))
        what = str(pulls)
    elif pulled:
        counts = count_made(app.config)
        what = "the registry's records"
    else:
        return None
    if archive.packages.keys().isdisjoint(counts):
        raise UsageError(f"{what}: no package of the index is in there")
    return with_others(counts, archive.popularity())


def _read(name: str) -> str:
    import gzip
    import lzma
    import zlib

    path = Path(name)
    try:
        data = sys.stdin.buffer.read() if name == "-" else path.read_bytes()
        if path.suffix == ".gz":
            data = gzip.decompress(data)
        elif path.suffix == ".xz":
            data = lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as failed:
        raise UsageError(f"{name}: {getattr(failed, 'strerror', None) or failed}") from failed
    return data.decode("utf-8", "replace")
