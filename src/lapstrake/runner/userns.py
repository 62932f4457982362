"""The runner ``userns``: namespaces and one overlay, without root and without a daemon."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lapstrake.errors import RunnerError
from lapstrake.host import idmap, sandbox, seccomp, supervise, uplink
from lapstrake.host.sandbox import (
    BindMount,
    KernelFilesystems,
    MemoryFolder,
    Operation,
    SandboxPlan,
    SecretFile,
)
from lapstrake.runner.base import Command, Lack, Limits, Network, Session
from lapstrake.runner.lacks import no_uplink
from lapstrake.runner.mounted import ENVIRONMENT, MountedSession, environment
from lapstrake.runner.rim import HOSTNAME

_NAMESPACES = ("user", "mnt", "pid", "ipc", "uts", "cgroup")
_RESTRICTED = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"


class UsernsRunner:
    """Commands in a user namespace: rootless by default, and for root with fewer rights."""

    name = "userns"
    isolates = True
    mounts = True

    def probe(self) -> tuple[Lack, ...]:
        """What this host lacks for user namespaces."""
        lacks = []
        try:
            idmap.current_map()
        except RunnerError as refused:
            lacks.append(Lack(what=refused.brief, remedy=refused.resolution))
        if _number("/proc/sys/user/max_user_namespaces", 1) == 0:
            lacks.append(
                Lack(
                    what="user namespaces are switched off",
                    remedy="As root: sysctl user.max_user_namespaces=28633",
                )
            )
        if os.geteuid() != 0:
            lacks += _rootless_lacks()
        if not seccomp.supported(os.uname().machine):
            lacks.append(
                Lack(
                    what=f"no seccomp filter for {os.uname().machine}",
                    remedy="Builds run without one: use trusted bundles.",
                    blocks=False,
                )
            )
        return (*lacks, *no_uplink())

    @contextlib.contextmanager
    def open(self, stack: tuple[Path, ...], workspace: Path) -> Iterator[Session]:
        """Enter a stack; see `Runner.open`."""
        yield _UsernsSession(stack, workspace, rootless=os.geteuid() != 0)


class _UsernsSession(MountedSession):
    """Everything is done by our own entry file."""

    def plan(self, command: Command, *, terminal: bool) -> SandboxPlan:
        """The overlay is mounted by the host's root where it is root's, else inside."""
        binds = tuple(
            BindMount(
                source=bind.source,
                target=self.root / str(bind.target).lstrip("/"),
                writable=bind.writable,
            )
            for bind in command.binds
        )
        secrets = tuple(
            SecretFile(
                target=self.root / target.relative_to("/"), content=content, user=command.user
            )
            for target, content in command.secrets.items()
        )
        inside: tuple[Operation, ...] = (KernelFilesystems(root=self.root), *binds, *secrets)
        isolated = command.network is not Network.HOST
        return SandboxPlan(
            argv=command.argv,
            env=environment(command),
            cwd=str(command.cwd),
            root=self.root,
            host_operations=() if self.rootless else (self.overlay(),),
            operations=(self.overlay(), *inside) if self.rootless else inside,
            namespaces=(*_NAMESPACES, "net") if isolated else _NAMESPACES,
            uplink=uplink.words() if command.network is Network.OUTSIDE else (),
            ids=idmap.current_map(),
            hostname=HOSTNAME,
            user=command.user,
            terminal=terminal,
        )


def _rootless_lacks() -> list[Lack]:
    """Switches of distributions that keep users out of user namespaces."""
    lacks = []
    if _number("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0:
        lacks.append(
            Lack(
                what="this kernel keeps users out of user namespaces",
                remedy="As root: sysctl kernel.unprivileged_userns_clone=1",
            )
        )
    return [*lacks, *_profile_lacks()]


def _profile_lacks(setting: str = _RESTRICTED) -> list[Lack]:
    """AppArmor keeps programs without a profile for it from using user namespaces (Ubuntu 24.04).

    The setting alone tells nothing: whether our interpreter has such a profile shows in a trial.
    """
    if _number(setting, 0) != 1 or _may_mount():
        return []
    program = Path(sys.executable).resolve()
    return [
        Lack(
            what="AppArmor takes capabilities away in user namespaces",
            remedy=f"As root, load an AppArmor profile for {program} that has the rule `userns,` "
            "(apparmor.d(5)), or for all programs: sysctl "
            "kernel.apparmor_restrict_unprivileged_userns=0",
        )
    ]


def _may_mount() -> bool:
    """Mount something in a user namespace, as every command does."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            plan = SandboxPlan(
                argv=("true",),
                env=ENVIRONMENT,
                namespaces=("user", "mnt"),
                ids=idmap.current_map(),
                operations=(MemoryFolder(target=Path(folder)),),
                confined=False,
            )
            process = sandbox.spawn(plan)
            return supervise.watch(process, limits=Limits(), on_output=lambda _: None).ok
        except RunnerError:
            return False


def _number(file: str, otherwise: int) -> int:
    try:
        return int(Path(file).read_text())
    except (OSError, ValueError):
        return otherwise
