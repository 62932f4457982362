"""What `lapstrake.host.entry` is told: mounts, namespaces and a command, as values.

A root is *planned* here as a tuple of frozen operations; only the entry file performs them. That
way a plan can be shown, compared and tested without a mount.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from lapstrake.errors import RunnerError
from lapstrake.host import seccomp
from lapstrake.host.idmap import IdMap
from lapstrake.host.uplink import Uplink

CAPABILITIES = {
    "CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_FOWNER": 3, "CAP_FSETID": 4, "CAP_KILL": 5,
    "CAP_SETGID": 6, "CAP_SETUID": 7, "CAP_SETPCAP": 8, "CAP_NET_BIND_SERVICE": 10,
    "CAP_SYS_CHROOT": 18, "CAP_MKNOD": 27, "CAP_AUDIT_WRITE": 29, "CAP_SETFCAP": 31,
}  # fmt: skip
"""What a build keeps: what dpkg and make install need of a root, and no more (capabilities(7))."""

_ENTRY = Path(__file__).with_name("entry.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Many layers and at most one writable folder as one file system.

    Attributes:
        lowers: layer trees, lowest first.
        target: where it is mounted.
        upper: takes the writes; ``None`` for a read-only view.
        work: an empty folder of the kernel's, beside `upper`.
        links: a folder for short names, used by kernels before 6.8.
        rootless: ``user.overlay.*`` attributes instead of ``trusted.overlay.*``.
    """

    lowers: tuple[Path, ...]
    target: Path
    upper: Path | None
    work: Path | None
    links: Path
    rootless: bool

    def describe(self) -> dict[str, Any]:
        """The operation as JSON."""
        return {
            "op": "overlay",
            "lowers": [str(lower) for lower in self.lowers],
            "target": str(self.target),
            "upper": str(self.upper) if self.upper else "",
            "work": str(self.work) if self.work else "",
            "links": str(self.links),
            "rootless": self.rootless,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BindMount:
    """A file or folder of the host at another place; both exist."""

    source: Path
    target: Path
    writable: bool = False

    def describe(self) -> dict[str, Any]:
        """The operation as JSON."""
        return {
            "op": "bind",
            "source": str(self.source),
            "target": str(self.target),
            "writable": self.writable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFilesystems:
    """/proc, /dev, /sys, /run of a root, cut down to what builds may see."""

    root: Path
    shared_memory: int = 256 << 20

    def describe(self) -> dict[str, Any]:
        """The operation as JSON."""
        return {
            "op": "kernel",
            "root": str(self.root),
            "shm": f"mode=1777,size={self.shared_memory}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFolder:
    """A small file system in memory; it and what is in it never reach a layer."""

    target: Path

    def describe(self) -> dict[str, Any]:
        """The operation as JSON."""
        return {"op": "tmpfs", "target": str(self.target), "options": "mode=755,size=16m"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretFile:
    """A file below a file system in memory (`KernelFilesystems`' /run, or a `MemoryFolder`)."""

    target: Path
    content: bytes = field(repr=False)
    user: int = 0

    def describe(self) -> dict[str, Any]:
        """The operation as JSON; the plan travels through a pipe, never through arguments."""
        return {
            "op": "secret",
            "target": str(self.target),
            "content": self.content.hex(),
            "user": self.user,
        }


Operation: TypeAlias = Overlay | BindMount | KernelFilesystems | MemoryFolder | SecretFile


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxPlan:
    """One command and all that is done before it is started.

    Attributes:
        argv: the command.
        env: its whole environment.
        cwd: where it starts, a path of the root when there is one.
        root: the folder that becomes ``/``; ``None`` stays in the host's tree.
        operations: done as root of the new namespaces.
        host_operations: done before the user namespace, by the host's root only.
        namespaces: of clone(2): mnt, pid, ipc, uts, net, cgroup, user.
        ids: the map of the user namespace.
        hostname: of the UTS namespace.
        user: numeric user and group of the command.
        confined: cut capabilities, seccomp filter, no new privileges.
        host_sockets: what is not confined may open sockets of the virtual machine's host.
        terminal: standard input is a terminal that the command shall control.
        rlimits: ``RLIMIT_*`` to value.
        cgroups: ``cgroup.procs`` files to join first.
        adopts: without a PID namespace, kill the orphans that the command leaves, and theirs.
        uplink: the program that gives the network namespace its network; see `host.uplink`.
        farewell: a program of the host that is run at the very end, also when we are dead by then.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str = "/"
    root: Path | None = None
    operations: tuple[Operation, ...] = ()
    host_operations: tuple[Operation, ...] = ()
    namespaces: tuple[str, ...] = ()
    ids: IdMap | None = None
    hostname: str = ""
    user: int = 0
    confined: bool = True
    host_sockets: bool = True
    terminal: bool = False
    rlimits: Mapping[str, int] = field(default_factory=dict)
    cgroups: tuple[Path, ...] = ()
    adopts: bool = False
    uplink: tuple[str, ...] = ()
    farewell: tuple[str, ...] = ()

    def describe(self) -> dict[str, Any]:
        """The plan as JSON, but for the descriptors."""
        ids = self.ids
        programs = ids.programs if ids else None
        return {
            "argv": list(self.argv),
            "env": dict(self.env),
            "cwd": self.cwd,
            "root": str(self.root) if self.root else "",
            "operations": [operation.describe() for operation in self.operations],
            "host_operations": [operation.describe() for operation in self.host_operations],
            "namespaces": list(self.namespaces),
            "uid_map": ids.uids if ids else [],
            "gid_map": ids.gids if ids else [],
            "map_programs": (
                {"uid_map": str(programs[0]), "gid_map": str(programs[1])} if programs else None
            ),
            "hostname": self.hostname,
            "user": self.user,
            "terminal": self.terminal,
            "rlimits": dict(self.rlimits),
            "cgroups": [str(file) for file in self.cgroups],
            "adopts": self.adopts,
            "farewell": list(self.farewell),
            "capabilities": sorted(CAPABILITIES.values()) if self.confined else None,
            "no_new_privileges": self.confined,
            "seccomp": self._filter(),
        }

    def _filter(self) -> str:
        if self.confined:
            return filter_hex()
        return "" if self.host_sockets else socket_filter_hex()


@functools.cache
def socket_filter_hex() -> str:
    """The filter against sockets of the virtual machine's host alone; root may install it."""
    return seccomp.build_socket_filter(os.uname().machine).hex()


@functools.cache
def filter_hex() -> str:
    """The seccomp filter for this machine, in hexadecimal."""
    return seccomp.build_filter(os.uname().machine).hex()


@dataclass(slots=True, kw_only=True)
class SandboxProcess:
    """A started plan.

    Attributes:
        process: the supervisor.
        output: where the command's output is read, unless it has a terminal.
        status: the pipe on which set-up failures are reported.
        lifeline: closing it kills everything.
        uplink: its way to the network, which ends with it.
        delegates: the command only asks somebody else; what it uses itself counts for nothing.
        used: what the kernel counted for all its processes, once it has ended.
    """

    process: subprocess.Popen[bytes]
    output: int | None
    status: int
    lifeline: int
    delegates: bool = False
    uplink: Uplink | None = None
    used: resource.struct_rusage | None = None

    def kill(self) -> None:
        """Kill all processes of the sandbox and wait until they are gone."""
        if self.lifeline >= 0:
            os.close(self.lifeline)
            self.lifeline = -1
        if self.process.returncode is None:
            _, status, self.used = os.wait4(self.process.pid, 0)
            self.process.returncode = os.waitstatus_to_exitcode(status)
        if self.uplink is not None:
            self.uplink.end()

    def close(self) -> None:
        """Kill what still runs, and let go of the pipes."""
        self.kill()
        for descriptor in (self.output, self.status):
            if descriptor is not None:
                os.close(descriptor)
        self.output = None

    def failure(self) -> RunnerError | None:
        """What the set-up reported, once the process has ended."""
        report = os.read(self.status, 65536)
        if not report:
            return None
        failed = json.loads(report.splitlines()[0])
        return RunnerError(
            f"the sandbox could not be set up: {failed['step']}", resolution=remedy(failed["errno"])
        )


def spawn(
    plan: SandboxPlan, *, stdin: int | None = None, stdout: int | None = None
) -> SandboxProcess:
    """Start a plan.

    Args:
        plan: what to do.
        stdin: the command's standard input; the null device when not given.
        stdout: for both of its outputs; a pipe when not given.
    """
    plan_read, plan_write = os.pipe()
    status_read, status_write = os.pipe()
    lifeline_read, lifeline_write = os.pipe()
    output_read, output_write = (None, stdout) if stdout is not None else os.pipe()
    assert output_write is not None  # noqa: S101 - for the type checker
    uplink = Uplink(plan.uplink) if plan.uplink else None
    theirs = uplink.theirs if uplink else ()
    document = plan.describe() | {
        "status_fd": status_write, "lifeline_fd": lifeline_read, "uplink": list(theirs)
    }  # fmt: skip
    interpreter = getattr(sys, "_base_executable", sys.executable)
    try:
        process = subprocess.Popen(
            [interpreter, "-SI", str(_ENTRY), str(plan_read)],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=output_write,
            stderr=output_write,
            env={},
            pass_fds=(plan_read, status_write, lifeline_read, *theirs),
        )
        if uplink is not None:
            uplink.start(process.pid)
    finally:
        ours = [plan_read, status_write, lifeline_read, *theirs]
        for descriptor in ours if stdout is not None else [*ours, output_write]:
            os.close(descriptor)
    with os.fdopen(plan_write, "wb") as pipe:
        pipe.write(json.dumps(document).encode())
    return SandboxProcess(
        process=process,
        output=output_read,
        status=status_read,
        lifeline=lifeline_write,
        delegates=bool(plan.farewell),
        uplink=uplink,
    )


def remedy(number: int) -> str:
    """What a user can do about an error number of the set-up."""
    if number in {1, 13}:  # EPERM, EACCES
        return (
            "The kernel forbids it. Run `lapstrake doctor`; in a container, give it user "
            "namespaces and mounts (--security-opt seccomp=unconfined), or use another runner."
        )
    if number == 28:  # ENOSPC: of disk or of namespaces
        return "Check the disk's free space, and user.max_user_namespaces (sysctl)."
    return "Run `lapstrake doctor` to see what this host lacks."
