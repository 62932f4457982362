"""What a build's process writes into the log that is shipped to the server."""

from __future__ import annotations

from pathlib import Path

from lapstrake.build.log import HEADLINE, BuildLog
from lapstrake.farm.values.attempts import Result
from lapstrake.farm.worker.setup import AttemptFolder
from lapstrake.progress import Silent

_BUILDING = "building "
"""How the headline begins that says that all is fetched."""


class AttemptLog(BuildLog):
    """The log of an attempt: all that is told from the first look for layers on.

    Args:
        folder: the attempt's.
    """

    def __init__(self, folder: AttemptFolder) -> None:
        super().__init__(folder.log, Silent())
        self._begun: Path | None = folder.begun
        self._last = b""

    def headline(self, text: str) -> None:
        """A step has begun."""
        if self._begun is not None and text.startswith(_BUILDING):
            self._begun.touch()
            self._begun = None
        self._last = HEADLINE + text.encode() + b"\n"
        super().headline(text)

    def output(self, data: bytes) -> None:
        """A piece of output; a headline of the driver's comes twice, as one and within this."""
        if self._last and data.startswith(self._last):
            data = data.removeprefix(self._last)
        self._last = b""
        super().output(data)

    def tell_failure(self, result: Result) -> None:
        """Why it failed, with what of it is not in the last lines yet: nobody else tells users."""
        self.note(f"failed: {result.error}")
        known = set(self.tail.splitlines())
        for line in result.details.splitlines():
            if line not in known:
                super().output(line.encode() + b"\n")

    def whole_output(self, data: bytes) -> None:
        """A piece of output of an artifact's build; see `HearsAll`."""
        super().output(data)
