"""The room that layers take: how much, and what can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.branch.draft import Drafts
from lapstrake.layer.store import Layer
from lapstrake.place.answers import forget_old
from lapstrake.place.kept import collect_packages
from lapstrake.place.state import StateFiles
from lapstrake.place.workplace import Workplace

_IDLE = 300.0
"""Seconds: what another build made just now, it is about to use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a place takes on disk.

    Attributes:
        layers: bytes and number of layers by kind.
        held: bytes of the layers that branches are made of, which no collection takes.
        workspaces: bytes of unfinished work.
        drafts: bytes of drafts.
        budget: bytes that layers may take.
    """

    layers: Mapping[str, tuple[int, int]]
    held: int
    workspaces: int
    drafts: int
    budget: int

    @property
    def layers_total(self) -> int:
        """Bytes of all layers."""
        return sum(size for size, _ in self.layers.values())


def measure(place: Workplace) -> Room:
    """Measure what a place takes, exactly."""
    remembered = StateFiles(place.private)
    usage = place.store.usage()
    keep = remembered.layers()
    drafts = Drafts(place)
    return Room(
        layers=usage.layers,
        held=sum(layer.size for layer in place.store.layers() if layer.key in keep),
        workspaces=usage.workspaces,
        drafts=sum(drafts.size(name) for name in remembered.branches()),
        budget=place.config.cache.budget,
    )


def collect(
    place: Workplace, *, budget: int | None = None, idle: float = 0.0, dry_run: bool = False
) -> tuple[Layer, ...]:
    """Remove the layers used longest ago, as far as the budget asks for it.

    What branches are made of, now and in their history, and what is in use stays.

    Args:
        place: where.
        budget: bytes; the configuration's when ``None``.
        idle: seconds that a layer must have been unused.
        dry_run: only tell what would go.

    Returns:
        the layers removed.
    """
    limit = place.config.cache.budget if budget is None else budget
    keep = StateFiles(place.private).layers()
    return place.store.collect(budget=limit, keep=keep, idle=idle, dry_run=dry_run)


def collect_over_budget(place: Workplace) -> None:
    """Keep the store within the configured budget; for the end of work that made a layer."""
    gone = collect(place, idle=_IDLE)
    collect_packages(place, budget=place.config.cache.budget, idle=_IDLE)
    forget_old(place)
    if gone:
        freed = sum(layer.size for layer in gone)
        place.progress.headline(f"collected {len(gone)} old layers ({freed >> 20} MiB)")
