"""Names of machines: one tuple, and what every tool calls the same machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from lapstrake.errors import ToolchainError
from lapstrake.names import Arch

_TUPLE = re.compile(r"[A-Za-z0-9_.]+(-[A-Za-z0-9_.]+){1,3}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What tools call one kind of processor; empty where a tool does not know it.

    Attributes:
        family: of Meson's reference tables.
        rust: the first field of Rust's target.
        go: ``GOARCH``.
        big_endian: whether the byte with the highest value comes first.
        qemu: behind ``qemu-``.
    """

    family: str
    rust: str
    go: str
    big_endian: bool = False
    qemu: str


def _machine(family: str, *, rust: str = "", go: str, qemu: str = "", big: bool = False) -> Machine:
    return Machine(family=family, rust=rust or family, go=go, qemu=qemu or family, big_endian=big)


_MACHINES: Mapping[str, Machine] = {
    "aarch64": _machine("aarch64", go="arm64"),
    "arm": _machine("arm", go="arm"),
    "i386": _machine("x86", rust="i686", go="386", qemu="i386"),
    "loongarch64": _machine("loongarch64", go="loong64"),
    "mips64el": _machine("mips64", rust="mips64el", go="mips64le", qemu="mips64el"),
    "mipsel": _machine("mips", rust="mipsel", go="mipsle", qemu="mipsel"),
    "powerpc64le": _machine("ppc64", rust="powerpc64le", go="ppc64le", qemu="ppc64le"),
    "riscv64": _machine("riscv64", rust="riscv64gc", go="riscv64"),
    "s390x": _machine("s390x", go="s390x", big=True),
    "x86_64": _machine("x86_64", go="amd64"),
}

_DEBIAN: Mapping[Arch, str] = {
    Arch.AMD64: "x86_64-linux-gnu",
    Arch.ARM64: "aarch64-linux-gnu",
    Arch.ARMHF: "arm-linux-gnueabihf",
    Arch.I386: "i686-linux-gnu",
    Arch.LOONG64: "loongarch64-linux-gnu",
    Arch.MIPS64EL: "mips64el-linux-gnuabi64",
    Arch.PPC64EL: "powerpc64le-linux-gnu",
    Arch.RISCV64: "riscv64-linux-gnu",
    Arch.S390X: "s390x-linux-gnu",
}  # DEB_HOST_GNU_TYPE of dpkg-architecture(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The machine that is compiled for.

    Attributes:
        text: the tuple, as the names of the compiler's programs begin.
        cpu: the first field (``aarch64``, ``armv7``).
        system: ``linux``, or ``none`` where there is no operating system.
        abi: the last field (``gnu``, ``musleabihf``).
    """

    text: str
    cpu: str
    system: str
    abi: str

    @property
    def machine(self) -> Machine:
        """The kind of processor; one that nobody knows is called what the tuple calls it."""
        if self.cpu.startswith("arm") and not self.cpu.startswith("arm64"):
            return _MACHINES["arm"]
        if re.match(r"i[3-6]86\Z", self.cpu):
            return _MACHINES["i386"]
        unknown = Machine(family=self.cpu, rust="", go="", qemu=self.cpu)
        return _MACHINES.get(self.cpu, unknown)

    @property
    def debian(self) -> Arch | None:
        """Debian's name, if Debian has it."""
        mine = (self.machine, self.system, self.abi)
        for arch, text in _DEBIAN.items():
            other = parse_target(text)
            if mine == (other.machine, other.system, other.abi):
                return arch
        return None

    @property
    def multiarch(self) -> str:
        """The name of Debian's folders below ``/usr/lib``; empty if there is none."""
        if self.debian is Arch.I386:
            return "i386-linux-gnu"
        return _DEBIAN[self.debian] if self.debian else ""


def parse_target(text: str) -> Target:
    """Read a tuple.

    Args:
        text: ``CPU-[VENDOR-][SYSTEM-]ABI``, or a word of Debian's (``arm64``).

    Raises:
        ToolchainError: it is neither.
    """
    if text in _DEBIAN:
        text = _DEBIAN[Arch(text)]
    if not _TUPLE.match(text):
        raise ToolchainError(
            f"{text!r} names no target",
            resolution="Give a tuple such as aarch64-linux-gnu, or a word of Debian's: "
            + ", ".join(_DEBIAN),
        )
    first, *middle, last = text.split("-")
    system = "linux" if "linux" in middle else "none"
    return Target(text=text, cpu=first, system=system, abi=last)
