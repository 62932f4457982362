"""What a machine can do, as a worker tells it."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path

import psutil

from lapstrake import __version__
from lapstrake.config.model import Config, host_arch
from lapstrake.errors import RunnerError
from lapstrake.farm.model.protocol import PROTOCOL
from lapstrake.farm.values.workers import WorkerFacts
from lapstrake.host.engine import find_engine
from lapstrake.host.supervise import free_bytes
from lapstrake.names import Arch
from lapstrake.place.foreign import require_machine
from lapstrake.runner.choose import RUNNERS, load

_OPTIONAL = frozenset({"docker", "local"})
"""Runners that are no capability by themselves: `docker` and `podman` are, by their engines."""


def facts_of(
    config: Config,
    *,
    name: str,
    incarnation: str,
    slots: int,
    capabilities: Iterable[str] = (),
    pool: str = "",
    embedded: bool = False,
) -> WorkerFacts:
    """Look at this machine.

    Args:
        config: where it builds, and with what.
        name: of the worker.
        incarnation: of its start.
        slots: builds at a time.
        capabilities: words that the user adds.
        pool: the word that tasks must ask for; empty for any task.
        embedded: whether it is the server's own builder.
    """
    own = config.arch
    others = tuple(arch for arch in Arch if arch != own and _runs(arch))
    emulated = tuple(arch.value for arch in others if not _is_native(arch))
    words = {*capabilities, *([pool] if pool else []), *_runners(config), *_engines(), *_devices()}
    return WorkerFacts(
        name=name,
        incarnation=incarnation,
        arches=(own.value, *(arch.value for arch in others)),
        emulated=emulated,
        capabilities=tuple(sorted(words)),
        pool=pool,
        slots=slots,
        cores=cores(),
        memory=psutil.virtual_memory().total,
        disk=disk_free(config),
        version=__version__,
        protocol=PROTOCOL,
        clock=time.time(),
        embedded=embedded,
    )


def cores() -> int:
    """The processors that we may use."""
    return len(os.sched_getaffinity(0))


def disk_free(config: Config) -> int:
    """Bytes free where it builds."""
    folder = config.work_dir
    while not folder.exists():
        folder = folder.parent
    return free_bytes(folder)


def machine_name() -> str:
    """What a worker is called when nobody says: the host's name, without its domain."""
    return platform.node().partition(".")[0] or "worker"


def _runs(arch: Arch) -> bool:
    try:
        require_machine(arch)
    except RunnerError:
        return False
    return True


def _is_native(arch: Arch) -> bool:
    """Whether the processor itself runs it: such as i386 on amd64."""
    return arch == host_arch() or (host_arch(), arch) == (Arch.AMD64, Arch.I386)


def _runners(config: Config) -> set[str]:
    """The runners that can be used."""
    return {
        name
        for name in RUNNERS
        if name not in _OPTIONAL
        and not any(lack.blocks for lack in load(name, config.runner).probe())
    }


def _engines() -> set[str]:
    """The container engines that answer."""
    found = set()
    for name in ("docker", "podman"):
        try:
            found.add(str(find_engine(name).kind))
        except RunnerError:
            continue
    return found


def _devices() -> set[str]:
    return {"kvm"} if os.access(Path("/dev/kvm"), os.R_OK | os.W_OK) else set()
