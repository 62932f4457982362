"""Images that somebody may ask for, drawn from what an archive says of popularity."""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from lapstrake.grouping.archive import Archive

SHELL = ("bash", "coreutils", "moreutils", "nano")
"""What the set ``shell`` stands for."""

# Sections of packages that come along with others, but that nobody asks for by name.
_NOT_ASKED_FOR = frozenset(
    {
        "cli-mono", "debug", "doc", "fonts", "gnu-r", "golang", "haskell", "introspection", "java",
        "javascript", "kernel", "libdevel", "libs", "lisp", "localization", "metapackages",
        "ocaml", "oldlibs", "perl", "php", "python", "ruby", "rust", "tasks", "translations",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """What people ask for.

    Attributes:
        essential: whether the essential packages are in every image.
        always: packages in every image, besides those.
        shell: what the set for people at a shell has.
        shell_share: how many of all images have that.
        most: the most applications in an image; a number is the less likely the larger it is.
        skew: the exponent of Zipf's law over applications by rank.
    """

    essential: bool = True
    always: tuple[str, ...] = ("base-files", "netbase", "ca-certificates")
    shell: tuple[str, ...] = SHELL
    shell_share: float = 0.4
    most: int = 8
    skew: float = 0.9


def applications(archive: Archive, popularity: Mapping[str, float]) -> tuple[str, ...]:
    """Packages that somebody may ask for by name, the most popular one first."""
    found = (p.name for p in archive.packages.values() if p.section not in _NOT_ASKED_FOR)
    return tuple(sorted(found, key=lambda name: (-popularity.get(name, 0), name)))


class Sampler:
    """Draws images; the same seed draws the same ones.

    Args:
        archive: where packages are from.
        ranked: applications, the most popular one first.
        habits: what people ask for.
    """

    def __init__(self, archive: Archive, ranked: Sequence[str], habits: Habits) -> None:
        self._archive = archive
        self._ranked = ranked
        self._habits = habits
        self._weights = list(accumulate(rank**-habits.skew for rank in range(1, len(ranked) + 1)))
        essential = (p.name for p in archive.packages.values() if p.essential and habits.essential)
        self._everywhere = archive.closure([*essential, *habits.always])
        self._closures: dict[str, frozenset[str]] = {}

    def draw(self, seed: int | str) -> Iterator[tuple[tuple[str, ...], frozenset[str]]]:
        """Draw images without end.

        Yields:
            What was asked for, and that with all it needs.
        """
        habits, chance = self._habits, random.Random(seed)  # noqa: S311 - no secrets
        counts = range(1, habits.most + 1)
        odds = [count**-1.5 for count in counts]
        while True:
            asked = list(habits.shell) if chance.random() < habits.shell_share else []
            (count,) = chance.choices(counts, odds)
            asked += [self._one(chance.random()) for _ in range(count)]
            yield tuple(asked), self._everywhere.union(*map(self._closure, asked))

    def _one(self, fraction: float) -> str:
        position = bisect(self._weights, fraction * self._weights[-1])
        return self._ranked[min(position, len(self._ranked) - 1)]

    def _closure(self, name: str) -> frozenset[str]:
        if name not in self._closures:
            self._closures[name] = self._archive.closure([name])
        return self._closures[name]
