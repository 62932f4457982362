"""The runner ``nspawn``: systemd-nspawn over one overlay, for root."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host import uplink
from lapstrake.host.process import find_program
from lapstrake.host.sandbox import MemoryFolder, Operation, SandboxPlan, SecretFile
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Lack, Network, OnOutput, Outcome, Session
from lapstrake.runner.lacks import no_uplink
from lapstrake.runner.mounted import MountedSession, environment
from lapstrake.runner.rim import HOSTNAME, STARTED

# What nspawn leaves to a container by default and a build has no use for.
_DROPPED = (
    "CAP_AUDIT_CONTROL", "CAP_DAC_READ_SEARCH", "CAP_IPC_OWNER", "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE", "CAP_MKNOD", "CAP_NET_ADMIN", "CAP_NET_BROADCAST", "CAP_NET_RAW",
    "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_PTRACE", "CAP_SYS_RESOURCE",
    "CAP_SYS_TTY_CONFIG",
)  # fmt: skip
_FORBIDDEN_CALLS = (
    "~@mount @module @swap @reboot @clock @keyring @raw-io unshare setns bpf io_uring_setup"
)
_RUNTIME = Path("/run/systemd/nspawn")  # where nspawn leaves a folder for each machine
_NSPAWN_FAILED = 1
_NSPAWNS_OWN = (
    "container", "container_uuid", "container_host_id", "container_host_version_id",
    "container_host_build_id", "container_host_variant_id", "NOTIFY_SOCKET", "USER", "LOGNAME",
)  # fmt: skip
"""The variables that nspawn sets unasked, and that say which host this is."""


class NspawnRunner:
    """Commands in systemd-nspawn; works without systemd as PID 1 and without D-Bus.

    Args:
        options: more options for nspawn, after ours.
    """

    name = "nspawn"
    isolates = True
    mounts = True

    def __init__(self, options: Sequence[str] = ()) -> None:
        self.options = tuple(options)

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for systemd-nspawn."""
        lacks = []
        if os.geteuid() != 0:
            lacks.append(Lack(what="nspawn needs root", remedy="Use the runner userns, or sudo."))
        if find_program("systemd-nspawn") is None:
            lacks.append(
                Lack(
                    what="systemd-nspawn is not installed",
                    remedy="Install it: apt install systemd-container",
                )
            )
        return (*lacks, *no_uplink())

    @contextlib.contextmanager
    def open(self, stack: tuple[Path, ...], workspace: Path) -> Iterator[Session]:
        """Enter a stack; see `Runner.open`."""
        lacks = [lack for lack in self.probe() if lack.blocks]
        if lacks:
            raise RunnerError(lacks[0].what, resolution=lacks[0].remedy)
        yield _NspawnSession(stack, workspace, self.options)


class _NspawnSession(MountedSession):
    """The overlay is mounted in a namespace of ours; nspawn does the rest."""

    def __init__(self, stack: tuple[Path, ...], workspace: Path, options: Sequence[str]) -> None:
        super().__init__(stack, workspace, rootless=False)
        self.options = tuple(options)

    def run(self, command: Command, *, on_output: OnOutput) -> Outcome:
        """Tell a failure of nspawn itself (status 1, nothing started) from the command's."""
        said: list[bytes] = []

        def listen(data: bytes) -> None:
            if len(said) < 100:
                said.append(data)
            on_output(data)

        outcome = super().run(command, on_output=listen)
        if not self._take_mark() and outcome.status == _NSPAWN_FAILED:
            raise RunnerError(
                "systemd-nspawn could not start the command",
                details=b"".join(said).decode("utf-8", "replace").strip(),
                resolution="Run `lapstrake doctor`, or use another runner.",
            )
        return outcome

    def interact(self, command: Command) -> int:
        """Run a command on our terminal; the mark must not get into what is committed."""
        try:
            return super().interact(command)
        finally:
            self._take_mark()

    def _take_mark(self) -> bool:
        """Whether the command was started; a build may have put something else in the mark's place.

        What is no regular file is left where it is: it is the build's own.
        """
        mark = self.upper / STARTED
        try:
            kind = mark.lstat().st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISREG(kind):
            mark.unlink()
        return True

    def plan(self, command: Command, *, terminal: bool) -> SandboxPlan:
        """Nspawn's arguments; what each is for stands beside it."""
        vault = self.workspace / "secrets"
        secrets = [
            (target, SecretFile(target=vault / str(number), content=content, user=command.user))
            for number, (target, content) in enumerate(command.secrets.items())
        ]
        held: tuple[Operation, ...] = ()
        if secrets:
            held = (MemoryFolder(target=vault), *(file for _, file in secrets))
        options = [
            "--quiet",
            f"--directory={self.root}",
            "--register=no",  # no D-Bus
            "--keep-unit",
            "--as-pid2",  # as PID 1 the command would ignore fatal signals
            "--resolv-conf=off",  # the rim has it
            "--timezone=off",  # else nspawn writes into the root
            "--link-journal=no",
            *(["--private-network"] if command.network is Network.NONE else []),
            f"--hostname={HOSTNAME}",
            f"--machine=lapstrake-{os.urandom(6).hex()}",  # two of one name get in the way
            f"--console={'interactive' if terminal else 'pipe'}",
            "--no-new-privileges=yes",
            f"--drop-capability={','.join(_DROPPED)}",
            f"--system-call-filter={_FORBIDDEN_CALLS}",
            f"--chdir={command.cwd}",
            *(f"--setenv={name}={value}" for name, value in environment(command).items()),
            *(_bind_option(bind.source, bind.target, bind.writable) for bind in command.binds),
            *(_bind_option(file.target, GuestPath(target), False) for target, file in secrets),
        ]
        outside = command.network is Network.OUTSIDE
        return SandboxPlan(
            argv=("systemd-nspawn", *options, *self.options, "--", *_marked(command)),
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "SYSTEMD_NSPAWN_TMPFS_TMP": "0",  # /tmp counts as the workspace's disk
                "TERM": command.env.get("TERM", "dumb"),
            },
            host_operations=(self.overlay(), MemoryFolder(target=_RUNTIME), *held),
            namespaces=("net",) if outside else (),  # nspawn stays in the one it is started in
            uplink=uplink.words() if outside else (),
            confined=False,  # nspawn needs its rights to give them up inside
            adopts=True,  # a killed nspawn leaves its container behind
            host_sockets=False,  # nspawn has no filter for these
            terminal=terminal,
        )


def _marked(command: Command) -> list[str]:
    """The command, leaving a mark in the workspace once it is started.

    The shell waits for it (a last command it would become), since nspawn itself says 255 for any
    signal, and takes away what nspawn adds to the environment.
    """
    unset = " ".join(name for name in _NSPAWNS_OWN if name not in environment(command))
    script = f': > "$0" || exit\nunset {unset}\n"$@"\nexit $?'
    # By its path: shells made of busybox have another one, of the same name, built in.
    switch = [
        "/usr/bin/setpriv",
        f"--reuid={command.user}",
        f"--regid={command.user}",
        "--clear-groups",
    ]
    argv = [*(switch if command.user else ()), *command.argv]
    return ["/bin/sh", "-c", script, f"/{STARTED}", *argv]


def _bind_option(source: Path, target: GuestPath, writable: bool) -> str:
    """A bind; colons are the option's own separators."""
    escaped = [str(path).replace("\\", "\\\\").replace(":", "\\:") for path in (source, target)]
    return f"--bind{'' if writable else '-ro'}={':'.join(escaped)}"
