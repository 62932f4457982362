"""Machine files for Meson: of the target, and of the machine that compiles."""

from __future__ import annotations

from collections.abc import Iterable

from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.part import FILES, Known, Part

_CROSS, _NATIVE = "meson-cross.ini", "meson-native.ini"
_TOOLS = ("ar", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "strip")
_NATIVE_TEXT = """\
[binaries]
c = 'cc'
cpp = 'g++'
ar = 'ar'
strip = 'strip'
pkg-config = 'pkg-config'
pkgconfig = 'pkg-config'
"""


def meson(known: Known) -> Part:
    """``MESON_CROSS_FILE`` and ``MESON_NATIVE_FILE``.

    Meson has no variable for them: ``meson setup --cross-file "$MESON_CROSS_FILE" ...``.
    """
    facts = known.facts
    compile_flags = (*facts.sysroot_flags, *known.machine_flags)
    pkg_config = _words([str(facts.host_pkg_config or "pkg-config")])
    lines = [
        "[binaries]",
        f"c = {_words((facts.program('gcc'), *compile_flags))}",
        f"cpp = {_words((facts.program('g++'), *compile_flags))}",
        *(f"{tool} = {_words([facts.program(tool)])}" for tool in _TOOLS),
        f"pkg-config = {pkg_config}",
        f"pkgconfig = {pkg_config}",  # as Meson before 1.3 calls it
        "cmake = 'cmake'",
    ]
    if facts.emulator is not None:
        root = facts.sysroot or f"/usr/{facts.target.text}"
        lines.append(f"exe_wrapper = {_words([str(facts.emulator), '-L', str(root)])}")
    lines += ["", "[properties]", "needs_exe_wrapper = true"]
    lines.append(f"pkg_config_libdir = {_words(facts.pkg_config_folders)}")
    if facts.sysroot is not None:
        lines.append(f"sys_root = '{facts.sysroot}'")
    lines += ["", "[host_machine]", *_machine(facts), ""]
    return Part(
        variables={
            "MESON_CROSS_FILE": f"{FILES}/{_CROSS}",
            "MESON_NATIVE_FILE": f"{FILES}/{_NATIVE}",
        },
        files={_CROSS: "\n".join(lines), _NATIVE: _NATIVE_TEXT},
    )


def _machine(facts: Facts) -> list[str]:
    machine = facts.target.machine
    return [
        f"system = '{facts.target.system}'",
        f"cpu_family = '{machine.family}'",
        f"cpu = '{facts.target.cpu}'",
        f"endian = '{'big' if machine.big_endian else 'little'}'",
    ]


def _words(words: Iterable[str]) -> str:
    """A list of strings; none of them has a quote or a backslash (see `facts.Facts`)."""
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"
