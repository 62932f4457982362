"""How long a build may take, and how long its log may say nothing."""

from __future__ import annotations

import time
from collections.abc import Callable

from lapstrake.build.log import MOST_BYTES
from lapstrake.errors import LimitError
from lapstrake.farm.values.attempts import Result
from lapstrake.farm.values.tasks import TaskKind, TaskSpec
from lapstrake.farm.worker.setup import AttemptFolder
from lapstrake.formats.amounts import duration_text

_LATE_SECONDS = 10.0  # the build itself ends first, and says more


class Deadlines:
    """Watches the clock of one build from when all is fetched; until then the server does.

    A log that is full says nothing any more, so then silence is no sign of anything.

    Args:
        spec: with its limits; 0 for none.
        folder: the attempt's.
        clock: seconds, of any beginning.
    """

    def __init__(
        self, spec: TaskSpec, folder: AttemptFolder, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._spec, self._folder, self._clock = spec, folder, clock
        self._begun = 0.0
        self._size, self._heard = 0, 0.0

    def missed(self) -> Result | None:
        """A result, once one has passed; to be asked again and again."""
        now = self._clock()
        if not self._begun:
            if self._spec.kind is TaskKind.ARTIFACT or self._folder.begun.exists():
                self._begun = self._heard = now
            return None
        size = self._log_size()
        if size != self._size:
            self._size, self._heard = size, now
        seconds, silence = self._spec.seconds, self._spec.silence
        if seconds and now - self._begun > seconds + _LATE_SECONDS:
            return _stopped(f"timed out (limit {seconds:g} s)")
        if silence and now - self._heard > silence and size < MOST_BYTES:
            return _stopped(
                f"its log said nothing for {duration_text(silence)}",
                "It may hang. If it only takes its time, submit it with --silence DURATION, or "
                "raise farm.silence_limit on the server.",
            )
        return None

    def _log_size(self) -> int:
        try:
            return self._folder.log.stat().st_size
        except FileNotFoundError:
            return 0


def _stopped(why: str, details: str = "") -> Result:
    return Result(
        ok=False,
        error=f"the build was stopped: {why}",
        details=details,
        exit_code=LimitError.exit_code,
    )
