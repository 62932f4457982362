"""A bundle's sources on the host: from the download cache, or fetched into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lapstrake.bundle.base import Bundle
from lapstrake.place.fetching import fetch_specs
from lapstrake.place.workplace import Workplace

if TYPE_CHECKING:
    from lapstrake.source.job import Fetched


def fetch_sources(place: Workplace, bundle: Bundle, *, offline: bool) -> tuple[Fetched, ...]:
    """Fetch and verify all sources of a bundle, in parallel.

    Raises:
        FetchError: one could not be fetched.
        ChecksumError: one is not what its checksum says.
    """
    folder = bundle.path if bundle.path.is_dir() else bundle.path.parent
    return fetch_specs(
        place.config,
        bundle.sources,
        folder=folder,
        offline=offline,
        progress=place.progress,
        elsewhere=place.elsewhere,
    )
