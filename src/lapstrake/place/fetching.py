"""Fetch sources as the configuration says: its cache, its mirrors, its offline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lapstrake.config.model import Config
from lapstrake.progress import Progress
from lapstrake.source.rules import Elsewhere, FetchRules, Rewrite
from lapstrake.source.spec import SourceSpec

if TYPE_CHECKING:
    from lapstrake.source.job import Fetched, FetchEvent


def fetch_specs(
    config: Config,
    specs: Sequence[SourceSpec],
    *,
    folder: Path,
    offline: bool,
    progress: Progress,
    elsewhere: Elsewhere | None = None,
) -> tuple[Fetched, ...]:
    """Fetch and verify sources.

    Args:
        config: whose download cache and mirrors.
        specs: the sources.
        folder: what relative paths are relative to.
        offline: use nothing but the cache.
        progress: hears what is fetched, and what had to be tried again.
        elsewhere: who is asked for what is pinned, before its own address is.

    Raises:
        FetchError: one could not be fetched.
        ChecksumError: one is not what its checksum says.
    """
    if not specs:
        return ()
    from lapstrake.source.cache import DownloadCache
    from lapstrake.source.fetch import fetch_all
    from lapstrake.source.job import Stage

    cache = DownloadCache(config.cache.download_dir)

    def tell(event: FetchEvent) -> None:
        pinned = event.spec.digest
        if event.stage is Stage.STARTED and not (pinned and cache.find(pinned)):
            progress.headline(f"fetching {event.spec.name}")
        elif event.stage in {Stage.RETRY, Stage.WARNING}:
            progress.warning(f"{event.spec.name}: {event.text}")

    rewrites = tuple(
        Rewrite(prefix=rule.prefix, to=rule.replacements) for rule in config.rewrite_rules()
    )
    return fetch_all(
        specs,
        cache=cache,
        rules=FetchRules(rewrites=rewrites, offline=offline, elsewhere=elsewhere),
        folder=folder,
        on_event=tell,
    )
