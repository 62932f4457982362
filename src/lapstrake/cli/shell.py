"""A person, or one command of theirs, in an entered root."""

from __future__ import annotations

import sys

from lapstrake.errors import UsageError
from lapstrake.host import terminal
from lapstrake.runner.base import Command, Network, Session


def run_in(session: Session, words: tuple[str, ...], *, name: str) -> int:
    """Run a command in a root with the network, or a shell when there are no words.

    Args:
        session: the root.
        words: the command.
        name: what the root is, for messages.

    Returns:
        its exit status.

    Raises:
        UsageError: a shell is wanted, but there is no terminal.
    """
    command = Command(argv=words or ("/bin/bash", "-i"), network=Network.HOST)
    if terminal.has_terminal():
        return session.interact(command)
    if not words:
        raise UsageError(
            f"a shell in {name} needs a terminal",
            resolution="Give a command instead: branch shell NAME COMMAND...",
        )

    def show(data: bytes) -> None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()

    return session.run(command, on_output=show).status
