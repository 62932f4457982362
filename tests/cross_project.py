"""A project with a system and a toolchain, whose artifacts lie in a folder as on a site.

The toolchain is Debian's cross compiler under another name; the system is a sysroot with a small
library for the target.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from lapstrake.artifact.archives.pack import pack_archive
from lapstrake.artifact.identity import identify
from lapstrake.artifact.inputs.checksum import source_checksum
from lapstrake.artifact.manifest.read import read_package
from lapstrake.host.process import find_program
from roots import Completed, run_cli

TUPLE = "aarch64-lapstrake-linux-gnu"
DEBIAN = "aarch64-linux-gnu"
_TOOLS = ("gcc", "g++", "ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "strip")

_PROJECT = """\
[project]
name = "blinky"
version = "1.2.3"
{more}
[dependencies.rpi]
path = "packages/rpi"

[dependencies.gcc_arm64]
path = "packages/gcc_arm64"

[env]
BLINK_DIR = "${{NERVES_SYSTEM}}/blink"
"""
_SYSTEM = """\
[package]
name = "rpi"
type = "system"
version = "0.1"
target = "aarch64-unknown-linux-gnu"
checksum = ["defconfig"]

[platform]
build = "true"
environment = '''echo '{{"FROM_PLATFORM": "told"}}' '''
output = "out"

[[site]]
folder = "{site}"

[env]
TARGET_CPU = "cortex_a53"
TARGET_GCC_FLAGS = "-mcpu=cortex-a53"
"""
_TOOLCHAIN = """\
[package]
name = "gcc_arm64"
type = "toolchain"
version = "0.1"
target = "aarch64-unknown-linux-gnu"
checksum = ["defconfig"]

[[site]]
folder = "{site}"
"""
_HEADER = "int greet(void);\n"
_LIBRARY = r"""\
#include <unistd.h>
int greet(void) { return write(1, "hello from the sysroot\n", 23) != 23; }
"""
_PKG_CONFIG = """\
prefix=/usr
Name: greet
Description: greets
Version: 1
Libs: -L${prefix}/lib -lgreet
Cflags: -I${prefix}/include/greet
"""


def needs_cross_tools(*more: str) -> None:
    """Skip where Debian's cross compiler, or a program, is not installed."""
    for program in (f"{DEBIAN}-gcc", f"{DEBIAN}-g++", "qemu-aarch64-static", *more):
        if find_program(program) is None:
            pytest.skip(f"needs {program}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossProject:
    """The project.

    Attributes:
        folder: where its ``lapstrake.toml`` is.
        work_dir: where lapstrake keeps everything.
    """

    folder: Path
    work_dir: Path

    def run(self, *words: str, **variables: str) -> Completed:
        """Run lapstrake in the project's folder."""
        return run_cli(*words, work_dir=self.work_dir, cwd=self.folder, timeout=120, **variables)


def make_project(
    folder: Path, *, more: str = "", system_files: dict[str, str] | None = None
) -> CrossProject:
    """Lay out the project and its site; nothing was got yet.

    Args:
        folder: an empty one.
        more: lines of its ``lapstrake.toml``, before the dependencies.
        system_files: more files of the system's artifact.
    """
    site = folder / "site"
    site.mkdir(parents=True)
    (folder / "lapstrake.toml").write_text(_PROJECT.format(more=more))
    for name, text in (("rpi", _SYSTEM), ("gcc_arm64", _TOOLCHAIN)):
        package = folder / "packages" / name
        package.mkdir(parents=True)
        (package / "lapstrake.toml").write_text(text.format(site=site))
        (package / "defconfig").write_text("A=y\n")
    made = folder / "made"
    _make_toolchain(made / "gcc_arm64")
    _make_system(made / "rpi", system_files or {})
    for name in ("rpi", "gcc_arm64"):
        read = read_package(folder / "packages" / name)
        identity = identify(read, source_checksum(read), {})
        pack_archive(made / name, site / identity.file_name, top=identity.download_name)
    (folder / "work").mkdir()
    return CrossProject(folder=folder, work_dir=folder / "work")


def _make_toolchain(folder: Path) -> None:
    (folder / "bin").mkdir(parents=True)
    for tool in _TOOLS:
        program = folder / "bin" / f"{TUPLE}-{tool}"
        program.write_text(f'#!/bin/sh\nexec {DEBIAN}-{tool} "$@"\n')
        program.chmod(0o755)


def _make_system(folder: Path, more: dict[str, str]) -> None:
    usr = folder / "staging" / "usr"
    files = {
        "staging/usr/include/greet/greet.h": _HEADER,
        "staging/usr/lib/pkgconfig/greet.pc": _PKG_CONFIG,
        "images/rootfs.squashfs": "",
        **more,
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "staging/lib").mkdir()
    for name in ("ld-linux-aarch64.so.1", "libc.so.6"):  # which the emulator needs
        shutil.copy(Path("/usr", DEBIAN, "lib", name), folder / "staging/lib")
    source, object_ = folder.parent / "greet.c", folder.parent / "greet.o"
    source.write_text(_LIBRARY)
    for argv in (
        (f"{DEBIAN}-gcc", "-c", source, "-o", object_),
        (f"{DEBIAN}-ar", "rcs", usr / "lib/libgreet.a", object_),
    ):
        subprocess.run(argv, check=True, timeout=60)
