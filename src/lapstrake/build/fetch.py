"""A bundle's sources on the host: from the download cache, or fetched into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.bundle.base import Bundle
from lapstrake.place.workplace import Workplace
from lapstrake.source.rules import FetchRules, Rewrite
from lapstrake.source.spec import SourceSpec

if TYPE_CHECKING:
    from lapstrake.source.job import Fetched, FetchEvent


def fetch_sources(place: Workplace, bundle: Bundle, *, offline: bool) -> tuple[Fetched, ...]:
    """Fetch and verify all sources of a bundle, in parallel.

    Raises:
        FetchError: one could not be fetched.
        ChecksumError: one is not what its checksum says.
    """
    folder = bundle.path if bundle.path.is_dir() else bundle.path.parent
    return fetch_specs(place, bundle.sources, folder=folder, offline=offline)


def fetch_specs(
    place: Workplace, specs: Sequence[SourceSpec], *, folder: Path, offline: bool
) -> tuple[Fetched, ...]:
    """Fetch and verify sources.

    Args:
        place: whose download cache and mirrors.
        specs: the sources.
        folder: what relative paths are relative to.
        offline: use nothing but the cache.
    """
    if not specs:
        return ()
    from lapstrake.source.cache import DownloadCache
    from lapstrake.source.fetch import fetch_all
    from lapstrake.source.job import Stage

    cache = DownloadCache(place.config.cache.download_dir)

    def tell(event: FetchEvent) -> None:
        pinned = event.spec.digest
        if event.stage is Stage.STARTED and not (pinned and cache.find(pinned)):
            place.progress.headline(f"fetching {event.spec.name}")
        elif event.stage in {Stage.RETRY, Stage.WARNING}:
            place.progress.warning(f"{event.spec.name}: {event.text}")

    rewrites = tuple(
        Rewrite(prefix=rule.prefix, to=rule.replacements) for rule in place.config.rewrite_rules()
    )
    return fetch_all(
        specs,
        cache=cache,
        rules=FetchRules(rewrites=rewrites, offline=offline),
        folder=folder,
        on_event=tell,
    )
