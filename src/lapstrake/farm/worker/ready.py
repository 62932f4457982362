"""A build's process, started before there is a build: Python and all modules are loaded by then."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lapstrake.farm.client.answer import write
from lapstrake.farm.worker.setup import BuildSetup, environment, program
from lapstrake.host import sandbox
from lapstrake.host.sandbox import SandboxProcess


class ReadyProcess:
    """Waits for what to build, below a keeper that kills all that comes of it.

    The keeper does so when it is told to, when the build's process ends, and when we do, however
    that comes.
    """

    def __init__(self) -> None:
        reader, self._writer = os.pipe()
        plan = sandbox.SandboxPlan(
            argv=tuple(program("lapstrake.farm.worker.building")),
            env=environment(),
            cwd=str(Path.cwd()),
            confined=False,
            adopts=True,
        )
        try:
            self._process = sandbox.spawn(plan, stdin=reader, stdout=sys.stderr.fileno())
        finally:
            os.close(reader)

    @property
    def is_waiting(self) -> bool:
        """Whether it can have work; when memory is scarce, it is the first to be killed."""
        return self._writer >= 0 and self._process.process.poll() is None

    def begin(self, setup: BuildSetup) -> SandboxProcess:
        """Give it its work, by a pipe since there is a token in it; it is the caller's now."""
        writer, self._writer = self._writer, -1
        with os.fdopen(writer, "wb") as pipe:
            pipe.write(write(setup))
        return self._process

    def close(self) -> None:
        """Kill it, if it has no work."""
        if self._writer >= 0:
            os.close(self._writer)
            self._process.close()
