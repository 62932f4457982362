"""The user's ssh-agent, for builds that may use it: its keys stay where they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lapstrake.artifact.base import Package, SshAccess
from lapstrake.errors import RunnerError
from lapstrake.names import GuestPath

AGENT = GuestPath("/nerves/ssh-agent")
"""Where steps find its socket."""


def agent_socket(package: Package) -> Path | None:
    """The socket on the host; ``None`` for a package that does not ask for it.

    Raises:
        RunnerError: it asks for one, and there is none.
    """
    if package.runner.ssh is not SshAccess.AGENT:
        return None
    named = os.environ.get("SSH_AUTH_SOCK", "")
    try:
        if named and stat.S_ISSOCK(Path(named).stat().st_mode):
            return Path(named).absolute()
        why = f"SSH_AUTH_SOCK names no socket: {named}" if named else "SSH_AUTH_SOCK is not set"
    except OSError as missing:
        why = f"{named}: {missing.strerror}"
    raise RunnerError(
        f"{package.name}: its build asks for ssh-agent, and there is none",
        details=why,
        resolution='Start one (eval "$(ssh-agent)"; ssh-add), or set ssh = "none".',
    )
