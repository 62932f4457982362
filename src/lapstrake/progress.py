"""How long work tells what it does, to whoever shows it: a terminal, a log, a page."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


class Progress(Protocol):
    """Somebody who listens."""

    def headline(self, text: str) -> None:
        """A step has begun: one line."""
        ...

    def output(self, data: bytes) -> None:
        """A piece of a program's output, as it comes."""
        ...

    def warning(self, text: str) -> None:
        """Something to know that stops nothing: one line."""
        ...

    def rest(self) -> None:
        """The terminal is somebody else's until the next headline."""
        ...


@runtime_checkable
class HearsAll(Progress, Protocol):
    """Somebody who wants every byte, where others get headlines and signs of life."""

    def whole_output(self, data: bytes) -> None:
        """A piece of a program's output, as it comes; nothing else is told of it."""
        ...


class Silent:
    """Nobody listens."""

    def headline(self, text: str) -> None:
        """Drop it."""

    def output(self, data: bytes) -> None:
        """Drop it."""

    def warning(self, text: str) -> None:
        """Drop it."""

    def rest(self) -> None:
        """Go on being silent."""
