"""A worker's configuration, which each build reads anew: it must be right before one begins."""

from __future__ import annotations

import logging
import time

from lapstrake.errors import LapstrakeError
from lapstrake.farm.worker.setup import WorkerSetup

_LOG = logging.getLogger("lapstrake.farm.worker")
_LOOK_SECONDS = 1.0


class Settings:
    """Says whether the configuration can be read; tells when that changes.

    Args:
        setup: says where it is.
    """

    def __init__(self, setup: WorkerSetup) -> None:
        self._setup = setup
        self._wrong = ""
        self._looked = time.monotonic()

    def are_good(self) -> bool:
        """Whether builds could begin."""
        if time.monotonic() - self._looked < _LOOK_SECONDS:
            return not self._wrong
        try:
            self._setup.config()
        except (LapstrakeError, OSError) as failed:
            wrong = failed.brief if isinstance(failed, LapstrakeError) else str(failed)
            if wrong != self._wrong:
                _LOG.error("nothing new is built until the configuration is right: %s", wrong)
            self._wrong = wrong
        else:
            if self._wrong:
                _LOG.info("the configuration is right again")
            self._wrong = ""
        self._looked = time.monotonic()
        return not self._wrong
