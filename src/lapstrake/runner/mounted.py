"""What the runners that mount share: one overlay of a stack and a workspace.

Each command gets a mount of its own, in a mount namespace of its own: nothing is ever mounted
where the host sees it, so a killed run leaves no mount behind.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host import confined, files, owned, supervise, terminal
from lapstrake.host.sandbox import Overlay, SandboxPlan
from lapstrake.names import GuestPath
from lapstrake.runner import rim
from lapstrake.runner.base import Command, OnOutput, Outcome

ENVIRONMENT: Mapping[str, str] = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "TERM": "dumb",
}
"""What every command's environment starts from."""

_BURST = 64


class MountedSession(ABC):
    """A stack with one workspace, mounted for each command.

    The workspace's folder holds ``upper`` (what was written), ``work`` (the kernel's), ``root``
    (the mount point), ``rim`` and ``links``.
    """

    def __init__(self, stack: tuple[Path, ...], workspace: Path, *, rootless: bool) -> None:
        self.stack = stack
        self.workspace = workspace
        self.rootless = rootless
        self.upper = workspace / "upper"
        self.root = workspace / "root"
        self.upper.mkdir(exist_ok=True)
        self.root.mkdir(exist_ok=True)

    @abstractmethod
    def plan(self, command: Command, *, terminal: bool) -> SandboxPlan:
        """How this runner runs a command; the overlay is `overlay`'s."""

    def run(self, command: Command, *, on_output: OnOutput) -> Outcome:
        """Run a command to its end; see `Session.run`."""
        self._prepare(command)
        limits = command.limits
        # The kernel's limit is for each user. We count them all, but only now and then.
        most = {"RLIMIT_NPROC": limits.processes + _BURST} if limits.processes is not None else None
        return supervise.run(
            self.plan(command, terminal=False),
            limits=limits,
            on_output=on_output,
            workspace=self.upper,
            measure=owned.size_owned,
            rlimits=most,
        )

    def interact(self, command: Command) -> int:
        """Run a command on our terminal; see `Session.interact`."""
        self._prepare(command)
        env = {"TERM": os.environ.get("TERM", "dumb"), **command.env}
        plan = self.plan(replace(command, env=env), terminal=True)
        return terminal.converse(plan)

    def put(self, source: Path, target: GuestPath, *, move: bool = False) -> None:
        """Copy in, straight into the workspace; see `Session.put`."""
        place = self._place(target)
        if move and not place.exists() and source.stat().st_dev == self.upper.stat().st_dev:
            source.rename(place)
        else:
            files.copy_tree(source, place)

    def get(self, source: GuestPath, target: Path) -> None:
        """Copy out, confined to what was written in the workspace; see `Session.get`."""
        confined.copy_confined(self.upper, source.relative_to("/"), target, error=RunnerError)

    def capture(self, target: Path) -> None:
        """Hand over the workspace's changes; see `Session.capture`."""
        self.upper.rename(target)
        self.upper.mkdir()

    def overlay(self) -> Overlay:
        """The stack, the rim and the workspace as one mount."""
        return Overlay(
            lowers=(*self.stack, self.workspace / "rim"),
            target=self.root,
            upper=self.upper,
            work=self.workspace / "work",
            links=self.workspace / "links",
            rootless=self.rootless,
        )

    def _prepare(self, command: Command) -> None:
        """Fresh helpers around the workspace: a volatile overlay's work folder serves once."""
        for name in ("work", "rim", "links"):
            files.remove_tree(self.workspace / name)
        (self.workspace / "work").mkdir()
        rim.lay(self.workspace / "rim", command)

    def _place(self, target: GuestPath) -> Path:
        """Where a path of the root lies in the workspace; its parents become real folders."""
        place = self.upper
        for part in target.relative_to("/").parts[:-1]:
            place = place / part
            if place.is_symlink():
                raise RunnerError(f"{target}: {place.relative_to(self.upper)} is a link")
            place.mkdir(exist_ok=True)
        return place / target.name


def environment(command: Command) -> dict[str, str]:
    """A command's whole environment."""
    return {**ENVIRONMENT, **command.env}
