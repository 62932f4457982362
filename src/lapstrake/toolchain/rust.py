"""Cargo, and the crate ``cc`` of Rust's build scripts."""

from __future__ import annotations

from collections.abc import Sequence

from lapstrake.toolchain.arm import arm_version
from lapstrake.toolchain.part import Known, Part
from lapstrake.toolchain.targets import Target


def rust(known: Known) -> Part:
    """Cargo's target, linker and flags; ``cc``'s compilers by target, and the host's own.

    Without the host's, build scripts that compile for the host would take ``CC``.
    """
    facts = known.facts
    name = rust_target(facts.target, known.machine_flags)
    if not name:
        return Part()
    low = name.replace("-", "_")
    linker = f"CARGO_TARGET_{low.upper()}"
    link_flags = (*facts.sysroot_flags, *known.machine_flags)
    variables = {
        "CARGO_BUILD_TARGET": name,
        f"{linker}_LINKER": facts.program("gcc"),
        f"CC_{low}": facts.program("gcc"),
        f"CXX_{low}": facts.program("g++"),
        f"AR_{low}": facts.program("ar"),
        "HOST_CC": "cc",
        "HOST_CXX": "g++",
        "HOST_AR": "ar",
        "HOST_CFLAGS": "",
        "HOST_CXXFLAGS": "",
        "PKG_CONFIG_ALLOW_CROSS": "1",
    }
    if facts.emulator is not None:
        root = facts.sysroot or f"/usr/{facts.target.text}"
        variables[f"{linker}_RUNNER"] = f"{facts.emulator} -L {root}"
    flags = {f"CFLAGS_{low}": known.flags["CFLAGS"], f"CXXFLAGS_{low}": known.flags["CXXFLAGS"]}
    if link_flags:
        flags[f"{linker}_RUSTFLAGS"] = " ".join(f"-Clink-arg={each}" for each in link_flags)
    return Part(variables=variables, flags=flags)


def rust_target(target: Target, flags: Sequence[str] = ()) -> str:
    """Rust's name of a target (its list of "platform support"); empty if it has none.

    Args:
        target: the target.
        flags: of the compiler, which tell versions of ARM apart.
    """
    first = target.machine.rust
    if not first or target.system != "linux":
        return ""
    if first == "arm":
        first = {5: "armv5te", 6: "arm"}.get(arm_version(target, flags), "armv7")
    return f"{first}-unknown-linux-{target.abi}"
