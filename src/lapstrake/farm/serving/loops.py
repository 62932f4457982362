"""What the server does again and again beside answering, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lapstrake.farm.problems import NoRoom, Unavailable

_LOG = logging.getLogger("lapstrake.farm.serving")
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """One of them.

    Attributes:
        name: for people.
        seconds: between two times; the first one comes within a minute.
        work: what is done.
    """

    name: str
    seconds: float
    work: Callable[[], object]


class Loops:
    """Runs them until it is told to stop; an error is logged, and the next time comes later."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(loop,), name=loop.name, daemon=True)
            for loop in loops
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float) -> None:
        """Begin nothing more, and wait for what runs, so long at most."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout)

    def _run(self, loop: Loop) -> None:
        failures, pause = 0, min(loop.seconds, _LONGEST_PAUSE)
        while not self._stopping.wait(pause):
            try:
                loop.work()
            except (Unavailable, NoRoom) as away:
                if not failures:
                    _LOG.warning("%s: %s", loop.name, away.brief)
                failures = min(failures + 1, 3)
            except Exception:  # noqa: BLE001 - the others go on, and this one is tried again
                _LOG.exception("%s: failed; it is tried again", loop.name)
                failures = min(failures + 1, 10)
            else:
                if failures:
                    _LOG.info("%s: works again", loop.name)
                failures = 0
            pause = min(loop.seconds * 2**failures, _LONGEST_PAUSE) if failures else loop.seconds
