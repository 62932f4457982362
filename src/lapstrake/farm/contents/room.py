"""Room on the disk of a server or a worker: made before there is none, and told of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress

from lapstrake.branch.room import collect
from lapstrake.errors import LapstrakeError
from lapstrake.farm.contents.stacks import Stacks
from lapstrake.farm.contents.store import ContentStore
from lapstrake.formats.amounts import size_text
from lapstrake.host.files import remove_tree
from lapstrake.host.supervise import free_bytes
from lapstrake.place.answers import forget_old
from lapstrake.place.kept import collect_packages
from lapstrake.place.workplace import Workplace

_LOG = logging.getLogger("lapstrake.farm.room")
_IDLE_LAYERS = 300.0
"""Seconds: what a build made just now, it is about to use."""
_IDLE_CONTENTS = 3600.0
"""Seconds: what was just uploaded, a task is about to name."""
_RECORD_SECONDS = 86400.0
"""Seconds for which a worker keeps its own records of builds."""
_PAUSE = 10.0
"""Seconds between two times that room is made, however many ask for it."""
_MARGIN = 4
"""A quarter more than the least is made, so that it lasts a while."""


class Room:
    """Watches a work folder's disk.

    Args:
        place: whose layers and package files may go; branches' own stay.
        contents: the server's store, whose unused content may go; ``None`` on workers.
        referenced: gives the digests that tasks need; ``None`` on workers.

    Attributes:
        free_images: removes images that nobody pulls; ``None`` where there are none.
    """

    def __init__(
        self,
        place: Workplace,
        contents: ContentStore | None = None,
        referenced: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self._place = place
        self._contents = contents
        self._referenced = referenced
        self._low = place.config.farm.disk_low
        self._lock = threading.Lock()
        self.free_images: Callable[[], object] | None = None
        self._made = 0.0
        self._told = False

    @property
    def free(self) -> int:
        """Bytes that are left."""
        return free_bytes(self._place.config.work_dir)

    def lacking(self) -> str:
        """Why nothing can be taken now, one line; empty when there is room."""
        free = self.free
        if free >= self._low:
            return ""
        return f"the disk has {size_text(free)} left, less than {size_text(self._low)}"

    def watch(self) -> None:
        """Make room when there is too little; for a loop of every few seconds."""
        if self.free < self._low:
            self.make()

    def tidy(self) -> None:
        """Remove what is of no use any more, however much room there is; for every hour or so."""
        if self._contents is not None:
            self._contents.forget_uploads()
        else:
            self._forget_builds()
        freed = self._collect_contents()
        if freed:
            _LOG.info("removed %s of content that no task needs", size_text(freed))

    def make(self) -> None:
        """Make room now: unfinished uploads, unused content, layers used longest ago, images."""
        with self._lock:
            if time.monotonic() - self._made < _PAUSE:
                return
            before = self.free
            self.tidy()
            wanted = self._low + self._low // _MARGIN - self.free
            if wanted > 0:
                self._collect_layers(wanted)
            if self.free < self._low:
                self._collect_images()
            self._made = time.monotonic()
            after = self.free
            if after > before or not self._told:
                _LOG.warning(
                    "the disk had %s left; now it has %s", size_text(before), size_text(after)
                )
            self._told = after < self._low

    def _forget_builds(self) -> None:
        """Remove a worker's own records of builds; the server has them."""
        latest = time.time() - _RECORD_SECONDS
        builds = self._place.builds
        for record in builds.iterdir() if builds.is_dir() else ():
            with suppress(FileNotFoundError):  # somebody else was quicker
                if record.lstat().st_mtime <= latest:
                    remove_tree(record)

    def _collect_contents(self) -> int:
        if self._contents is None or self._referenced is None:
            return 0
        stacks = Stacks(self._place, self._contents)
        freed = self._contents.collect({*self._referenced(), *stacks.kept()}, idle=_IDLE_CONTENTS)
        stacks.forget_gone()
        return freed

    def _collect_images(self) -> None:
        try:
            if self.free_images is not None:
                self.free_images()
        except LapstrakeError as failed:
            _LOG.warning("images could not be collected: %s", failed.brief)

    def _collect_layers(self, wanted: int) -> None:
        """Remove layers, then package files, until so many bytes more are free."""
        place = self._place
        try:
            total = sum(layer.size for layer in place.store.layers())
            gone = collect(place, budget=max(total - wanted, 0), idle=_IDLE_LAYERS)
            if sum(layer.size for layer in gone) < wanted:
                collect_packages(place, budget=0, idle=_IDLE_LAYERS)
            forget_old(place)
        except LapstrakeError as failed:
            _LOG.warning("layers could not be collected: %s", failed.brief)
