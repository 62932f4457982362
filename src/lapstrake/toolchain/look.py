"""Looking at folders: which compiler a toolchain has, and what is in a sysroot."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from shutil import which

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.facts import Erlang, Facts
from lapstrake.toolchain.targets import Target, parse_target

_COMPILER = "-gcc"
_QT = "mkspecs/devices/linux-buildroot-g++"
_RELEASES = "releases/*/OTP_VERSION"


def look_at(
    system: Path | None, toolchain: Path | None, *, environ: Mapping[str, str], target: str = ""
) -> Facts:
    """Find out what artifacts hold.

    Args:
        system: a system's artifact, or a build directory of Buildroot.
        toolchain: a toolchain's artifact; not needed when the system brings its own.
        environ: `PATH` of it is where the host's own programs are.
        target: the tuple that packages name, which chooses among several compilers.

    Raises:
        ToolchainError: there is no compiler, or the system was not built.
    """
    host = system / "host" if system and (system / "host").is_dir() else None
    home = host or toolchain
    if home is None:
        raise ToolchainError(
            "there is no toolchain: the project depends on none, and NERVES_TOOLCHAIN is not set",
            resolution="Let the project depend on a package of the type toolchain.",
        )
    prefix = find_compiler(home, target=target)
    tuple_ = _checked(prefix, target)
    sysroot = _staging(system) if system else None
    own = host / "bin/pkg-config" if host else None
    return Facts(
        target=tuple_,
        build=build_machine(),
        prefix=prefix,
        path=(home / "bin",),
        sysroot=sysroot,
        system=system,
        toolchain=toolchain or host,
        host=host,
        host_pkg_config=own if own and own.is_file() else None,
        erlang=find_erlang(sysroot, environ) if sysroot else None,
        qmakespec=sysroot / _QT if sysroot and (sysroot / _QT).is_dir() else None,
        emulator=find_emulator(tuple_, environ) if sysroot and _has_loader(sysroot) else None,
    )


def look_at_debian(text: str, *, environ: Mapping[str, str]) -> Facts:
    """Find out about a cross compiler of Debian's, which this host has installed.

    Args:
        text: a tuple, or Debian's word for it.
        environ: its ``PATH`` is where the compiler is.

    Raises:
        ToolchainError: it is not installed, or Debian has none; says what to install.
    """
    target = parse_target(text)
    if target.debian is not None:
        target = parse_target(target.debian)  # aarch64-unknown-linux-gnu is the same machine
    found = which(f"{target.text}{_COMPILER}", path=environ.get("PATH", os.defpath))
    if found is None:
        raise ToolchainError(
            f"this host has no compiler {target.text}{_COMPILER}",
            resolution=f"Install it: apt install crossbuild-essential-{target.debian}"
            if target.debian
            else "Let a project depend on a toolchain for it.",
        )
    return debian_facts(
        target,
        prefix=Path(found.removesuffix(_COMPILER)),
        build=build_machine(),
        emulator=find_emulator(target, environ),
    )


def debian_facts(
    target: Target,
    *,
    build: Target,
    prefix: Path | None = None,
    emulator: Path | None = None,
) -> Facts:
    """What is known of Debian's cross compiler without looking: it is in ``/usr/bin``.

    Libraries of the target are in multi-arch folders, which the compiler knows by itself.
    """
    return Facts(
        target=target,
        build=build,
        prefix=prefix or Path("/usr/bin", target.text),
        emulator=emulator,
    )


def build_machine() -> Target:
    """This machine, as the tuple that configure scripts take."""
    return parse_target(f"{os.uname().machine}-linux-gnu")


def find_compiler(home: Path, *, target: str = "") -> Path:
    """The programs of a toolchain: ``bin/TUPLE``, to which ``-gcc`` and the like are added.

    The one of the target, else Buildroot's own name, else the first by name.

    Raises:
        ToolchainError: there is none.
    """
    folder = home / "bin"
    try:
        names = sorted(each for each in os.listdir(folder) if each.endswith(_COMPILER))  # noqa: PTH208 - only names
    except OSError:
        names = []
    tuples = [each.removesuffix(_COMPILER) for each in names]
    if not tuples:
        raise ToolchainError(
            f"{folder} has no compiler (*-gcc): the toolchain is partial or corrupt",
            resolution="Remove it, and get it again: lapstrake artifact get",
        )
    wanted = [each for each in tuples if each == target]
    return folder / (wanted or [each for each in tuples if "buildroot" in each] or tuples)[0]


def _checked(prefix: Path, wanted: str) -> Target:
    found = parse_target(prefix.name)
    if wanted and found.machine != parse_target(wanted).machine:
        raise ToolchainError(
            f"{prefix}{_COMPILER} compiles for {found.cpu}, but the target is {wanted}",
            resolution="Depend on a toolchain for that machine, or correct package.target.",
        )
    return found


def _staging(system: Path) -> Path:
    staging = system / "staging"
    if not staging.is_dir():
        raise ToolchainError(
            f"{system} has no folder `staging`: the system was not built, or only in part",
            resolution="Build it, or get it: lapstrake artifact build, lapstrake artifact get",
        )
    return staging


def _has_loader(sysroot: Path) -> bool:
    """Whether programs can start with what is there; without it an emulator only misleads."""
    return any(sysroot.glob("lib/ld*.so*"))


def find_erlang(sysroot: Path, environ: Mapping[str, str]) -> Erlang | None:
    """The Erlang of a sysroot, compared with the host's."""
    folder = sysroot / "usr/lib/erlang"
    if not folder.is_dir():
        return None
    return Erlang(
        folder=folder,
        erts=_first(folder, "erts-*"),
        interface=_first(folder, "lib/erl_interface-*"),
        version=_otp_version(folder),
        host_version=_host_otp(environ),
    )


def _host_otp(environ: Mapping[str, str]) -> str:
    """The version of the host's OTP, from its files: starting Erlang would take too long."""
    program = which("erl", path=environ.get("PATH", os.defpath))
    if program is None:
        return ""
    root = Path(program).resolve().parent.parent  # ROOT/bin/erl
    inner = root / "lib/erlang"
    return _otp_version(inner if inner.is_dir() else root)


def _otp_version(root: Path) -> str:
    file = _first(root, _RELEASES)
    try:
        text = file.read_text("utf-8", "replace").strip() if file else ""
    except OSError:
        return ""
    return text if re.match(r"\d+(\.\d+)*", text) else ""


def _first(folder: Path, pattern: str) -> Path | None:
    return min(folder.glob(pattern), default=None)


def find_emulator(target: Target, environ: Mapping[str, str]) -> Path | None:
    """A program that runs the target's programs here, if there is one."""
    path = environ.get("PATH", os.defpath)
    for name in (f"qemu-{target.machine.qemu}-static", f"qemu-{target.machine.qemu}"):
        if target.system == "linux" and (found := which(name, path=path)):
            return Path(found)
    return None
