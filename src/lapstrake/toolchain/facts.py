"""What is known of a toolchain, a sysroot and the host: all that an environment is made from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.targets import Target

_AWKWARD = re.compile(r"[\s'\"\\$:#;&|<>()*?\[\]`]")
"""What neither flags in a variable, nor PATH, nor makefiles can carry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Erlang:
    """The Erlang of a sysroot.

    Attributes:
        folder: ``usr/lib/erlang`` in the sysroot.
        erts: its run-time system.
        interface: its library ``erl_interface``, or ``None``.
        version: of OTP, as its release file says; empty if it does not.
        host_version: of the host's own OTP; empty if there is none.
    """

    folder: PurePath
    erts: PurePath | None = None
    interface: PurePath | None = None
    version: str = ""
    host_version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A cross compiler and what it compiles against. Paths are of wherever it will run.

    Attributes:
        target: the machine that is compiled for.
        build: the machine that compiles.
        prefix: the compiler's programs without ``-gcc`` and the like.
        path: folders that go to the front of ``PATH``.
        sysroot: headers and libraries; ``None`` where the compiler knows them by itself.
        system: the system's artifact.
        toolchain: the toolchain's artifact.
        host: a system's own folder ``host``: it was built on this machine, and brings the tools.
        host_pkg_config: pkg-config's program in `host`.
        erlang: of the sysroot.
        qmakespec: Qt's folder of settings, if the sysroot has it.
        emulator: a program that runs what was compiled.
    """

    target: Target
    build: Target
    prefix: PurePath
    path: tuple[PurePath, ...] = ()
    sysroot: PurePath | None = None
    system: PurePath | None = None
    toolchain: PurePath | None = None
    host: PurePath | None = None
    host_pkg_config: PurePath | None = None
    erlang: Erlang | None = None
    qmakespec: PurePath | None = None
    emulator: PurePath | None = None

    def __post_init__(self) -> None:
        for path in (self.prefix, self.sysroot, self.system, self.toolchain):
            if path is not None and _AWKWARD.search(str(path)):
                raise ToolchainError(
                    f"{str(path)!r} cannot be told to a compiler: its name has a blank or a sign"
                    " that shells and makefiles read otherwise",
                    resolution="Keep artifacts in a folder of plain letters: set artifacts.folder.",
                )

    @property
    def sysroot_flags(self) -> tuple[str, ...]:
        """What every call of the compiler needs to find the sysroot."""
        return (f"--sysroot={self.sysroot}",) if self.sysroot else ()

    def program(self, name: str) -> str:
        """The whole path of a program of the toolchain, such as ``gcc``."""
        return f"{self.prefix}-{name}"

    @property
    def pkg_config_folders(self) -> tuple[str, ...]:
        """Where pkg-config looks, and nowhere else."""
        root = self.sysroot or PurePath("/")
        multiarch = self.target.multiarch
        folders = ["usr/lib/pkgconfig"] if self.sysroot else []
        if multiarch:
            folders.append(f"usr/lib/{multiarch}/pkgconfig")
        folders.append("usr/share/pkgconfig")
        if not self.sysroot:
            folders.insert(0, f"usr/local/lib/{multiarch}/pkgconfig")
        return tuple(str(root / each) for each in folders)
