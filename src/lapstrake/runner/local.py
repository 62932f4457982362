"""The runner ``local``: commands on the host itself. It isolates nothing, and says so.

``/buildroot`` of a root is a folder of the workspace here, and paths below it are translated where
they stand alone: as a word of the command, a variable's value, the working folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host import confined, files, supervise, terminal
from lapstrake.host.sandbox import SandboxPlan
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Lack, OnOutput, Outcome, Session
from lapstrake.runner.mounted import environment

BUILDROOT = GuestPath("/buildroot")
"""The only folder of a root that there is."""
_ELSEWHERE = "Use a runner that has roots: set runner.name to userns, nspawn or docker."


class LocalRunner:
    """Commands as processes of the host, with a clean environment and a folder of their own."""

    name = "local"
    isolates = False
    mounts = False

    def probe(self) -> tuple[Lack, ...]:
        """What it can never do, on any host."""
        return (
            Lack(
                what="commands run on the host itself: its files and its network are theirs",
                remedy="Build only what you trust, or use another runner.",
                blocks=False,
            ),
        )

    @contextlib.contextmanager
    def open(self, stack: tuple[Path, ...], workspace: Path) -> Iterator[Session]:
        """Use a workspace; the stack is the host itself, so layers have no say."""
        for layer in stack:
            if not layer.is_dir():
                raise RunnerError(f"the layer {layer} is no folder")
        yield LocalSession(workspace)


class LocalSession:
    """A folder of the host that commands work in.

    Args:
        workspace: an empty folder; ``buildroot`` and ``home`` are made in it.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace.absolute()
        self.buildroot = self.workspace / "buildroot"
        self.home = self.workspace / "home"
        for folder in (self.buildroot, self.home):
            folder.mkdir(exist_ok=True)

    def run(self, command: Command, *, on_output: OnOutput) -> Outcome:
        """Run a command; all processes that come of it are killed at its end."""
        with self._shown(command):
            return supervise.run(
                self._plan(command, terminal=False),
                limits=command.limits,
                on_output=on_output,
                workspace=self.workspace,
            )

    def interact(self, command: Command) -> int:
        """Run a command on our terminal; see `Session.interact`."""
        env = {"TERM": os.environ.get("TERM", "dumb"), **command.env}
        with self._shown(command):
            return terminal.converse(self._plan(replace(command, env=env), terminal=True))

    def put(self, source: Path, target: GuestPath, *, move: bool = False) -> None:
        """Copy in; see `Session.put`. Only below ``/buildroot``."""
        files.copy_tree(source, self._place(target))
        if move:
            files.remove_tree(source)

    def get(self, source: GuestPath, target: Path) -> None:
        """Copy out; see `Session.get`. Only from below ``/buildroot``."""
        confined.copy_confined(self.buildroot, _below(source), target, error=RunnerError)

    def capture(self, target: Path) -> None:
        """Not offered: what a command changed on the host is not in the workspace."""
        raise RunnerError(
            f"the runner local makes no layers ({target.name})", resolution=_ELSEWHERE
        )

    def _plan(self, command: Command, *, terminal: bool) -> SandboxPlan:
        """No namespaces; orphans are adopted and killed."""
        variables = {**environment(command), "LAPSTRAKE_BUILDROOT": str(BUILDROOT)}
        if command.env.get("HOME", "/root") == "/root":  # root's home is a root's, not the host's
            variables["HOME"] = str(self.home)
        root = os.geteuid() == 0
        if root and command.user:
            os.chown(self.home, command.user, command.user)
        return SandboxPlan(
            argv=tuple(self.translate(word) for word in command.argv),
            env={name: self.translate(value) for name, value in variables.items()},
            cwd=self._folder(command.cwd),
            user=command.user if root else 0,
            confined=False,
            terminal=terminal,
            adopts=True,
        )

    def translate(self, word: str) -> str:
        """A word that is a path of the root, as the host's path."""
        if word == str(BUILDROOT) or word.startswith(f"{BUILDROOT}/"):
            return f"{self.buildroot}{word.removeprefix(str(BUILDROOT))}"
        return word

    def _folder(self, cwd: GuestPath) -> str:
        """Where a command starts: below the workspace, even if it says ``/``."""
        return self.translate(str(cwd)) if cwd.is_relative_to(BUILDROOT) else str(self.buildroot)

    @contextlib.contextmanager
    def _shown(self, command: Command) -> Iterator[None]:
        """The command's files, secrets and binds, below ``/buildroot``, while it runs."""
        made: list[Path] = []
        try:
            for bind in command.binds:
                place = self._place(bind.target)
                place.symlink_to(bind.source.absolute())
                made.append(place)
            for mode, contents in ((0o644, command.files), (0o400, command.secrets)):
                made += self._write(contents, mode, command.user)
            yield
        finally:
            for place in made:
                place.unlink(missing_ok=True)

    def _write(self, contents: Mapping[GuestPath, bytes], mode: int, user: int) -> list[Path]:
        written = []
        for target, content in contents.items():
            place = self._place(target)
            place.unlink(missing_ok=True)
            files.write_atomic(
                place, content, mode=mode | (0o111 if content.startswith(b"#!") else 0)
            )
            if os.geteuid() == 0 and mode == 0o400:
                os.chown(place, user, user)
            written.append(place)
        return written

    def _place(self, target: GuestPath) -> Path:
        """Where a path of the root is on the host; its parents become real folders."""
        place = self.buildroot
        parts = _below(target).parts
        for part in parts[:-1]:
            place = place / part
            if place.is_symlink():
                raise RunnerError(f"{target}: {place.name} is a link")
            place.mkdir(exist_ok=True)
        return place / parts[-1] if parts else place


def _below(path: GuestPath) -> GuestPath:
    """A path relative to ``/buildroot``.

    Raises:
        RunnerError: it is elsewhere, where the host's own files are.
    """
    if not path.is_relative_to(BUILDROOT) or ".." in path.parts:
        raise RunnerError(
            f"the runner local has nothing but {BUILDROOT}: {path}", resolution=_ELSEWHERE
        )
    return path.relative_to(BUILDROOT)
