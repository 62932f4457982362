"""Places for other architectures than the configured one.

They have a base OS and branches of their own, and share the layer store. Their programs run as the
host's do: the kernel hands those of another machine to qemu-user (binfmt_misc).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lapstrake.config.model import host_arch
from lapstrake.errors import RunnerError
from lapstrake.names import Arch
from lapstrake.place.workplace import Workplace

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_RUNS_TOO = {Arch.AMD64: Arch.I386}
"""Machines that nearly every processor of another kind runs as well."""
_QEMU = {
    Arch.AMD64: "x86_64", Arch.ARM64: "aarch64", Arch.ARMHF: "arm", Arch.I386: "i386",
    Arch.LOONG64: "loongarch64", Arch.MIPS64EL: "mips64el", Arch.PPC64EL: "ppc64le",
    Arch.RISCV64: "riscv64", Arch.S390X: "s390x",
}  # fmt: skip
"""What qemu calls them."""


def place_for(place: Workplace, arch: Arch) -> Workplace:
    """The place for an architecture; the same one where that is the configured one."""
    if arch == place.config.arch:
        return place
    home = place.home or place
    if arch == home.config.arch:
        return home
    return replace(home, config=replace(home.config, arch=arch), home=home)


def require_machine(arch: Arch, *, binfmt: Path = _BINFMT) -> None:
    """Make sure that this host can run programs of an architecture.

    Args:
        arch: the architecture.
        binfmt: where the kernel tells what it hands to whom (binfmt-misc.rst).

    Raises:
        RunnerError: it cannot; the resolution names what is missing.
    """
    own = host_arch()
    if arch in {own, _RUNS_TOO.get(own)}:
        return
    entry = f"qemu-{_QEMU[arch]}"
    try:
        lines = (binfmt / entry).read_text("ascii").splitlines()
    except OSError:
        lines = []
    flags = next((line.partition(" ")[2] for line in lines if line.startswith("flags:")), "")
    if lines[:1] == ["enabled"] and "F" in flags:
        return
    what = "nothing runs them here" if not lines else f"{entry} does not reach into roots"
    raise RunnerError(
        f"this host runs no programs for {arch}: {what}",
        resolution="Run: apt install qemu-user-static binfmt-support arch-test (on the host, if "
        f"this is a container). The kernel tells of it in {binfmt}/{entry}, with the flag F.",
    )
