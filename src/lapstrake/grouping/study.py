"""From an archive's index to a plan: images are drawn from it, and the plan is learnt from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from lapstrake.errors import UsageError
from lapstrake.grouping.archive import Archive
from lapstrake.grouping.learn import learn_plan
from lapstrake.grouping.plan import Plan
from lapstrake.grouping.sample import Habits, Sampler, applications

IMAGES = 300
"""How many images are drawn; more of them take longer and help little."""

WEEKS = 104.0
"""How old a release is taken to be when nobody says."""


def study_archive(
    archive: Archive,
    *,
    budgets: Sequence[int],
    images: int = IMAGES,
    weeks: float = WEEKS,
    popularity: Mapping[str, float] | None = None,
    habits: Habits | None = None,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """Learn a plan for the images that people are likely to make; the same index gives the same.

    Args:
        archive: the index.
        budgets: for each of them a recipe is learnt.
        images: how many images to draw.
        weeks: how long ago the release was made, for the rates of updates.
        popularity: how popular packages are; without it, by how many others need them.
        habits: what people ask for.
        without: packages that no image holds, because the base OS below has them.

    Raises:
        UsageError: the index has no package that an image could be asked for.
    """
    known = archive.knowledge(weeks=weeks)
    ranked = applications(archive, known.popularity if popularity is None else popularity)
    if not ranked:
        raise UsageError("the index has no package that an image could be asked for")
    draws = Sampler(archive, ranked, habits or Habits()).draw("plan")
    drawn = [image - without for _, image in islice(draws, images)]
    sources = {name: package.source for name, package in archive.packages.items()}
    return learn_plan(drawn, sources, known, budgets=budgets)
