"""A command as the words of ``docker create`` (they are podman's too)."""

from __future__ import annotations

import re
import resource
from collections.abc import Iterable, Mapping
from pathlib import Path

from lapstrake.host.sandbox import CAPABILITIES
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Network
from lapstrake.runner.mounted import environment
from lapstrake.runner.rim import HOSTNAME

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_ENGINES_OWN = frozenset({"HOSTNAME", "container"})  # what engines set unasked


def create_options(
    command: Command, *, terminal: bool, profile: Path, shown: Mapping[GuestPath, Path]
) -> list[str]:
    """The options; what each is for stands beside it.

    Args:
        command: what is to run.
        terminal: with a terminal of its own.
        profile: the seccomp profile's file.
        shown: files of the host to show, read-only, beside the command's binds.
    """
    limits = command.limits
    options = [
        *network_option(command.network),
        f"--user={command.user}:{command.user}",
        f"--workdir={command.cwd}",
        "--entrypoint=/bin/sh",
        "--cap-drop=ALL",
        *(f"--cap-add={name}" for name in CAPABILITIES),
        "--security-opt=no-new-privileges",
        f"--security-opt=seccomp={profile}",
        "--tmpfs=/run:rw,nosuid,nodev,exec,mode=755",
        "--shm-size=256m",
        "--log-driver=none",  # the output goes to us; a copy would only fill the disk
        *(f"--env={name}={value}" for name, value in environment(command).items()),
        *(mount_option(bind.source, bind.target, bind.writable) for bind in command.binds),
        *(mount_option(source, target, False) for target, source in shown.items()),
    ]
    if command.network is not Network.HOST:  # with the host's network the name is the host's
        options.append(f"--hostname={HOSTNAME}")
    if limits.memory is not None:
        options += [f"--memory={limits.memory}", f"--memory-swap={limits.memory}"]
    if limits.processes is not None:
        options.append(f"--pids-limit={limits.processes}")
    if limits.cpus is not None:
        options.append(f"--cpus={limits.cpus}")
    if terminal:
        options += ["--interactive", "--tty"]
    return options


def network_option(network: Network) -> list[str]:
    """The engine's own network, where there is one, has nothing of this host's loopback."""
    return [] if network is Network.OUTSIDE else [f"--network={network}"]


def ulimit_options() -> list[str]:
    """Limits that we may set: podman's own defaults ask for more than hosts may allow."""
    files, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    numbers = int(Path("/proc/sys/kernel/pid_max").read_text())
    processes = resource.getrlimit(resource.RLIMIT_NPROC)[1]
    most = numbers if processes == resource.RLIM_INFINITY else min(numbers, processes)
    return [f"--ulimit=nofile={files}:{most_files}", f"--ulimit=nproc={most}:{most}"]


def mount_option(source: Path, target: GuestPath, writable: bool) -> str:
    """A bind; the option is a line of CSV, so commas and quotes need quotes, colons do not."""
    fields = ["type=bind", f"source={source.absolute()}", f"target={target}"]
    if not writable:
        fields.append("readonly")
    return _mount(fields)


def volume_option(name: str, target: GuestPath) -> str:
    """A volume; a comma in the target's name begins no further field (of a bind, say)."""
    return _mount(("type=volume", f"source={name}", f"target={target}"))


def _mount(fields: Iterable[str]) -> str:
    return "--mount=" + ",".join(_quoted(field) for field in fields)


def _quoted(field: str) -> str:
    if not any(char in field for char in ',"\n'):
        return field
    doubled = field.replace('"', '""')
    return f'"{doubled}"'


def script(unset: Iterable[str], *, terminal: bool) -> str:
    """What the container's first process, a shell, does with the command's words.

    It waits, so that the command is not PID 1 (which ignores signals) and orphans are reaped. Both
    outputs become one here, since engines carry two apart and in no order.
    """
    lines = [f"unset {name}" for name in sorted(unset)]
    if not terminal:
        lines.append("exec 2>&1")
    return "\n".join([*lines, '"$@"', "exit $?"])


def variable_names(seen: Iterable[str]) -> set[str]:
    """Names that the image, earlier commands or the engine put in the environment."""
    return {name for name in (*seen, *_ENGINES_OWN) if _NAME.match(name)} - set(
        environment(Command(argv=()))
    )
