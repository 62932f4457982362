"""The compiler, its flags, pkg-config, and the host's own tools (Nerves' rows I2 to I5, I7)."""

from __future__ import annotations

from collections.abc import Mapping

from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.part import Known, Part

_LARGE_FILES = ("-D_LARGEFILE_SOURCE", "-D_LARGEFILE64_SOURCE", "-D_FILE_OFFSET_BITS=64")
_TOOLS: Mapping[str, str] = {
    "AR": "ar",
    "AS": "as",
    "CC": "gcc",
    "CXX": "g++",
    "LD": "ld",
    "NM": "nm",
    "OBJCOPY": "objcopy",
    "OBJDUMP": "objdump",
    "RANLIB": "ranlib",
    "READELF": "readelf",
    "STRIP": "strip",
}
_HOST_TOOLS: Mapping[str, str] = {
    "AR": "ar",
    "AS": "as",
    "CC": "cc",
    "CXX": "g++",
    "GCC": "gcc",
    "LD": "ld",
    "PKG_CONFIG": "pkg-config",
}
FLAGS = ("CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS")
"""The variables that hold flags of C and C++."""


def first_flags(facts: Facts) -> dict[str, str]:
    """The flags before any package says more: large files, ``-O2``, the sysroot."""
    preprocess = (*_LARGE_FILES, *facts.sysroot_flags)
    compile_ = (*_LARGE_FILES, "-pipe", "-O2", *facts.sysroot_flags)
    by_name = {
        "CPPFLAGS": preprocess,
        "CFLAGS": compile_,
        "CXXFLAGS": compile_,
        "LDFLAGS": facts.sysroot_flags,
    }
    return {name: " ".join(words) for name, words in by_name.items()}


def compiler(known: Known) -> Part:
    """Everything that make and plain scripts need."""
    facts = known.facts
    variables = {name: facts.program(tool) for name, tool in _TOOLS.items()}
    variables["CROSSCOMPILE"] = str(facts.prefix)
    variables["CROSS_COMPILE"] = f"{facts.prefix}-"  # as Linux, U-Boot and BusyBox want it
    variables |= _of_system(facts) | _host_tools()
    pkg_config, unset = _pkg_config(facts)
    folders = {"PATH": ":".join(str(each) for each in facts.path)} if facts.path else {}
    if facts.host is not None:
        variables["PERLLIB"] = str(facts.host / "lib/perl")
        folders["LD_LIBRARY_PATH"] = str(facts.host / "lib")
    return Part(variables=variables | pkg_config, flags=known.flags, folders=folders, unset=unset)


def _of_system(facts: Facts) -> dict[str, str]:
    if facts.system is None:
        return {}
    return {
        "NERVES_SDK_IMAGES": str(facts.system / "images"),
        "NERVES_SDK_SYSROOT": str(facts.sysroot),
    }


def _host_tools() -> dict[str, str]:
    tools = {f"{name}_FOR_BUILD": tool for name, tool in _HOST_TOOLS.items()}
    return tools | {f"{name}_FOR_BUILD": "" for name in FLAGS}


def _pkg_config(facts: Facts) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is set and removed; ``PKG_CONFIG_PATH`` would bring in the host's libraries."""
    variables = {"PKG_CONFIG_LIBDIR": ":".join(facts.pkg_config_folders)}
    unset = ["PKG_CONFIG_PATH"]
    if facts.host_pkg_config is not None:
        variables["PKG_CONFIG"] = str(facts.host_pkg_config)
    if facts.sysroot is not None:
        variables["PKG_CONFIG_SYSROOT_DIR"] = str(facts.sysroot)
    else:
        unset.append("PKG_CONFIG_SYSROOT_DIR")
    return variables, tuple(unset)
