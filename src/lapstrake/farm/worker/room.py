"""A worker's disk: watched, and made room on before it is full."""

from __future__ import annotations

import functools
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from lapstrake.config.model import Config
from lapstrake.farm.worker.facts import disk_free
from lapstrake.farm.worker.setup import home_folder

if TYPE_CHECKING:
    from lapstrake.farm.contents.room import Room


class WorkerRoom:
    """Says whether there is room for another build, and makes some when there is not.

    Args:
        config: the worker's.
        embedded: whether the server makes the room, in whose work folder we are.
    """

    def __init__(self, config: Config, *, embedded: bool) -> None:
        self._config, self._embedded = config, embedded
        self._making: threading.Thread | None = None

    def is_there(self) -> bool:
        """Whether there is room; if not, making some begins."""
        if disk_free(self._config) >= self._config.farm.disk_low:
            return True
        if not self._embedded and (self._making is None or not self._making.is_alive()):
            self._making = threading.Thread(target=self._make, name="room", daemon=True)
            self._making.start()
        return False

    def _make(self) -> None:
        """Layers that were used longest ago go; it may take a while."""
        self._room.make()

    @functools.cached_property
    def _room(self) -> Room:
        """One for always: it knows what it has tried, and told, already."""
        from lapstrake.farm.contents.room import Room
        from lapstrake.place.workplace import Workplace
        from lapstrake.progress import Silent
        from lapstrake.runner.choose import load

        config = replace(self._config, work_dir=home_folder(self._config))
        config.work_dir.mkdir(parents=True, exist_ok=True)
        return Room(Workplace(config=config, runner=load("userns"), progress=Silent()))
