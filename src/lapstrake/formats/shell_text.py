"""Text being read as shell: where we are in it, what we refuse, and how much work it may make."""

from __future__ import annotations

from lapstrake.errors import BundleError

MAX_WORK = 5_000_000
"""How many characters a file's expansions may touch together, before it is refused as hostile."""

MAX_NESTING = 20
"""How deep expansions may stand in one another."""


class NeedsShell(BundleError):  # noqa: N818 - not a mistake of the text: only a shell can read it
    """The text holds something that only a shell can evaluate, and we do not run one on the host.

    Attributes:
        origin: the file.
        line: where in it, from 1.
        construct: what it is, as in "a command substitution".
    """

    def __init__(self, origin: str, line: int, construct: str) -> None:
        super().__init__(
            f"{origin}:{line}: {construct} needs a shell",
            details="Files are read on the host without running them: assignments only.",
            resolution="Write plain assignments, or let the file be evaluated inside a root.",
        )
        self.origin = origin
        self.line = line
        self.construct = construct


class ShellSyntaxError(BundleError):
    """The text is no shell at all, such as a quote without an end; the brief names file:line."""


class Text:
    """A text and a place in it.

    Args:
        text: the whole file.
        origin: its name, for messages.
    """

    def __init__(self, text: str, origin: str) -> None:
        self.text = text
        self.origin = origin
        self.position = 0
        self.work = 0

    def line(self, position: int | None = None) -> int:
        """The line of a place (the current one), from 1."""
        return self.text.count("\n", 0, self.position if position is None else position) + 1

    def peek(self, offset: int = 0) -> str:
        """The character ahead; nothing at the end."""
        at = self.position + offset
        return self.text[at : at + 1]

    def refuse(self, construct: str, *, at: int | None = None) -> NeedsShell:
        """Make the error for something that only a shell can evaluate."""
        return NeedsShell(self.origin, self.line(at), construct)

    def wrong(self, what: str, *, at: int | None = None) -> ShellSyntaxError:
        """Make the error for something that no shell would take."""
        return ShellSyntaxError(f"{self.origin}:{self.line(at)}: {what}")

    def spend(self, work: int) -> None:
        """Count work done, so that a small hostile file cannot keep us busy or fill the memory.

        Raises:
            BundleError: it was too much.
        """
        self.work += work
        if self.work > MAX_WORK:
            raise BundleError(
                f"{self.origin}:{self.line()}: the expansions of this file are too large",
                resolution="Write the values out.",
            )
