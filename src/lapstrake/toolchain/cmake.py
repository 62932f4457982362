"""A toolchain file for CMake (cmake-toolchains(7)), and Qt's folder of settings (row I8)."""

from __future__ import annotations

import re

from lapstrake.toolchain.part import FILES, Known, Part

_NAME = "toolchain.cmake"
_SYSTEMS = {"linux": "Linux", "none": "Generic"}
_TOOLS = {
    "C_COMPILER": "gcc",
    "CXX_COMPILER": "g++",
    "ASM_COMPILER": "gcc",
    "AR": "ar",
    "NM": "nm",
    "OBJCOPY": "objcopy",
    "OBJDUMP": "objdump",
    "RANLIB": "ranlib",
    "READELF": "readelf",
    "STRIP": "strip",
}
_LOOK_IN_SYSROOT = """\
set(CMAKE_SYSROOT {sysroot})
set(CMAKE_FIND_ROOT_PATH {sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
"""


def cmake(known: Known) -> Part:
    """``CMAKE_TOOLCHAIN_FILE``, which CMake reads since 3.21, and ``QMAKESPEC``."""
    facts = known.facts
    named = known.given.get("TARGET_ARCH", "")
    # A package has set it: what is no word could be more of CMake's language.
    processor = named if re.fullmatch(r"[\w.+-]+", named) else facts.target.cpu
    lines = [
        f"set(CMAKE_SYSTEM_NAME {_SYSTEMS[facts.target.system]})",
        f"set(CMAKE_SYSTEM_PROCESSOR {processor})",
        *(f"set(CMAKE_{name} {facts.program(tool)})" for name, tool in _TOOLS.items()),
    ]
    if known.machine_flags:
        flags = " ".join(known.machine_flags)
        lines += [f'set(CMAKE_{each}_FLAGS_INIT "{flags}")' for each in ("C", "CXX", "ASM")]
    if facts.target.multiarch:
        lines.append(f"set(CMAKE_LIBRARY_ARCHITECTURE {facts.target.multiarch})")
    if facts.emulator is not None:
        lines.append(f"set(CMAKE_CROSSCOMPILING_EMULATOR {facts.emulator}{_below(known)})")
    text = "\n".join(lines) + "\n"
    if facts.sysroot is not None:
        text += _LOOK_IN_SYSROOT.format(sysroot=facts.sysroot)
    variables = {"CMAKE_TOOLCHAIN_FILE": f"{FILES}/{_NAME}"}
    if facts.qmakespec is not None:
        variables["QMAKESPEC"] = str(facts.qmakespec)
    return Part(variables=variables, files={_NAME: text})


def _below(known: Known) -> str:
    """The emulator's option that names the root of shared libraries, as a list of CMake's."""
    root = known.facts.sysroot or f"/usr/{known.facts.target.text}"
    return f";-L;{root}"
