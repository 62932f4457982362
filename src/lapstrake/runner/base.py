"""What every runner offers: enter a stack with a workspace on top, run commands, copy out.

A runner knows nothing of packages. It gets a stack of directories, lowest first, and a workspace
that takes the writes; the values here are all that passes between it and the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lapstrake.host.usage import Ending, Limits, Outcome, Sample, Usage
from lapstrake.names import GuestPath

__all__ = [
    "Bind", "Command", "Ending", "Lack", "Limits", "Network", "OnOutput", "Outcome", "Runner",
    "Sample", "Session", "Usage",
]  # fmt: skip

ROOT = GuestPath("/")

OnOutput = Callable[[bytes], None]
"""Called with each piece of a command's output (both streams), as it comes."""


class Network(StrEnum):
    """What a command can reach."""

    NONE = "none"  # its own empty network: loopback only
    OUTSIDE = "outside"  # the world, through a network of its own: nothing of the host's loopback
    HOST = "host"  # the host's network and name resolution, and with it all that listens there


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A folder or file of the host that a command sees, read-only unless said otherwise."""

    source: Path
    target: GuestPath
    writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command to run in a root.

    Attributes:
        argv: the program, looked up on the root's PATH, and its arguments.
        env: its whole environment, but for PATH, HOME, LANG and TERM, which have defaults.
        cwd: where it starts.
        user: the numeric user (and group) it runs as; 0 is root *of the root*.
        network: what it can reach.
        limits: what it may use.
        binds: what it sees of the host.
        files: what it sees besides, for as long as it runs; never part of what is captured.
        secrets: likewise, but held in memory only and readable by its user alone.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: GuestPath = ROOT
    user: int = 0
    network: Network = Network.NONE
    limits: Limits = field(default_factory=Limits)
    binds: tuple[Bind, ...] = ()
    files: Mapping[GuestPath, bytes] = field(default_factory=dict)
    secrets: Mapping[GuestPath, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Something a runner misses on this host, and the remedy; `blocks` when it cannot run so."""

    what: str
    remedy: str
    blocks: bool = True


class Session(Protocol):
    """One entered root: a stack below, one workspace on top, until it is closed."""

    def run(self, command: Command, *, on_output: OnOutput) -> Outcome:
        """Run a command to its end; whatever it started is dead when this returns.

        Raises:
            RunnerError: the sandbox could not be set up; the command never ran.
            Interrupted: a signal told us to stop; everything it started is dead.
        """
        ...

    def interact(self, command: Command) -> int:
        """Run a command on our terminal (window size and its changes passed on).

        Returns:
            its exit status.
        """
        ...

    def put(self, source: Path, target: GuestPath, *, move: bool = False) -> None:
        """Copy a file or a tree of the host into the root, owned by the root's root.

        Links are copied as links; set-id bits are kept out. With `move` the source is given away,
        which saves the copy where it lies on the workspace's disk.
        """
        ...

    def get(self, source: GuestPath, target: Path) -> None:
        """Copy a regular file, or the regular files of a tree, out of the root.

        The root's content is hostile: no link is followed, nothing but regular files and folders
        is copied, and nothing is run to do it. A missing source copies nothing.
        """
        ...

    def capture(self, target: Path) -> None:
        """Hand the workspace's changes over as a layer's tree at `target` (must not exist).

        The session has an empty workspace afterwards.
        """
        ...


class Runner(Protocol):
    """A way to run commands inside a stack."""

    name: str
    isolates: bool
    """False when commands run on the host itself."""
    mounts: bool
    """Whether a workspace's changes can be captured as a layer."""

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for this runner; empty when it can be used."""
        ...

    def open(self, stack: tuple[Path, ...], workspace: Path) -> AbstractContextManager[Session]:
        """Enter a stack of layer trees, lowest first, with an empty folder for the workspace."""
        ...
