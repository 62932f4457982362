"""Keeping popular branches fresh, so that no pull has to look upstream.

Every so often release files are asked for (one conditional request for each); only when one
changed, a child makes the branch's new instance, and what was pulled lately is made anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from lapstrake.branch.instance import refresh_reason
from lapstrake.config.model import Config, RefreshMode
from lapstrake.errors import LapstrakeError, StoreError
from lapstrake.host.locks import locked
from lapstrake.names import BranchName
from lapstrake.place.workplace import Workplace
from lapstrake.registry.demand.records import Record, Records
from lapstrake.registry.problems import Problem

DEFAULT_SECONDS = 300.0
"""How often branches are looked at when the configuration sets no ``refresh.max_age``."""

POPULAR_SECONDS = 24 * 3600.0
"""A name is popular for so long after a pull."""

MOST_REMADE = 20
"""How many names are made anew after a refresh, those pulled last first."""


class Refresher:
    """Looks at branches from time to time; one process of a host does it for all.

    Args:
        place: where.
        records: what was pulled.
        refresh: makes a branch's new instance.
        remake: makes a name anew.
    """

    def __init__(
        self,
        place: Workplace,
        records: Records,
        *,
        refresh: Callable[[BranchName], Awaitable[object]],
        remake: Callable[[Record], Awaitable[object]],
    ) -> None:
        self._place = place
        self._records = records
        self._refresh = refresh
        self._remake = remake

    async def run(self) -> None:
        """Go on until cancelled."""
        config = self._place.config
        if config.refresh.mode is RefreshMode.NEVER:
            return
        lock = self._place.private / "registry" / "refresh.lock"
        while True:
            with suppress(StoreError), locked(lock, what="the refreshing of branches", timeout=0):
                while True:
                    await asyncio.sleep(period(config))
                    await self.look()
            await asyncio.sleep(period(config))  # another process does it, as long as it lives

    async def look(self) -> None:
        """Look at each popular branch once."""
        # What fails is among the failures of the page, and tried again next time.
        with suppress(LapstrakeError, Problem, OSError):
            popular = await asyncio.to_thread(self.popular)
            for name in sorted({self._branch(record) for record in popular}):
                if not await asyncio.to_thread(refresh_reason, self._place, name, refresh=True):
                    continue
                await self._refresh(name)
                for record in popular:
                    if self._branch(record) == name:
                        await self._remake(record)

    def popular(self) -> list[Record]:
        """What of branches was pulled within a day, the last one first, up to a bound."""
        since = time.time() - POPULAR_SECONDS
        branches = self._place.config.branches()
        found = [
            record
            for record in self._records.all()
            if record.pulled >= since and self._branch(record) in branches
        ]
        found.sort(key=lambda record: record.pulled, reverse=True)
        return found[:MOST_REMADE]

    def _branch(self, record: Record) -> BranchName:
        latest = self._place.config.registry.branch
        return BranchName(latest if record.tag == "latest" else record.tag)


def period(config: Config) -> float:
    """How often a branch is looked at, in seconds."""
    return config.refresh.max_age or DEFAULT_SECONDS
