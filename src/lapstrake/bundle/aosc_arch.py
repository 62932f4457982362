"""AOSC's names of machines, the groups they are in, and which bundles are meant for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from lapstrake.errors import BundleError
from lapstrake.formats.shell_pattern import PatternError, characters, compile_pattern, matches
from lapstrake.names import Arch

V = TypeVar("V")

_AOSC_NAMES: Mapping[Arch, str] = {
    Arch.ARMHF: "armv7hf",
    Arch.I386: "i486",
    Arch.LOONG64: "loongarch64",
    Arch.MIPS64EL: "loongson3",
}
"""Where the names differ. Loongson 3 is the one MIPS machine whose ABI is Debian's mips64el."""

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "alpha": ("retro", "64bit", "without_dotnet"),
    "amd64": ("mainline", "mainline_tier1", "ocaml_native", "64bit", "with_dotnet"),
    "arm64": ("mainline", "mainline_tier1", "arm", "ocaml_native", "64bit", "with_dotnet"),
    "armv4": ("retro", "arm", "32bit", "without_dotnet"),
    "armv5te": ("retro", "arm", "without_dotnet"),
    "armv6hf": ("retro", "arm", "32bit", "without_dotnet"),
    "armv7hf": ("retro", "arm", "32bit", "with_dotnet"),
    "i486": ("retro", "32bit", "without_dotnet"),
    "ia64": ("retro", "64bit", "without_dotnet"),
    "loongarch64": ("mainline", "mainline_tier1", "64bit", "without_dotnet"),
    "loongarch64_nosimd": ("mainline", "mainline_tier1", "64bit", "without_dotnet"),
    "loongson2f": ("retro", "64bit", "without_dotnet"),
    "loongson3": ("mainline", "mainline_tier2", "64bit", "without_dotnet"),
    "m68k": ("retro", "32bit", "without_dotnet"),
    "mips64r6el": ("64bit",),
    "optenv32": ("optenv",),
    "powerpc": ("retro", "32bit", "without_dotnet"),
    "ppc64": ("retro", "64bit", "without_dotnet"),
    "ppc64el": ("mainline", "mainline_tier2", "ocaml_native", "64bit", "without_dotnet"),
    "riscv64": ("mainline", "mainline_tier2", "64bit", "without_dotnet"),
}

SUFFIXES = frozenset(
    name.upper() for machine, groups in _GROUPS.items() for name in (machine, *groups)
)
"""What may stand behind ``VARIABLE__``: machines and groups, in capitals."""


class NotForArch(BundleError):  # noqa: N818 - a bundle's own choice, not a mistake
    """The bundle says that it is not for this architecture (FAIL_ARCH, ALLOW_ARCH)."""


def aosc_name(arch: Arch) -> str:
    """AOSC's name of an architecture: what bundles call it, and ``$ARCH`` in them."""
    return _AOSC_NAMES.get(arch, str(arch))


def from_aosc_name(name: str) -> Arch | None:
    """The architecture that AOSC calls so; ``None`` for those that Debian's names lack."""
    return next((arch for arch in Arch if aosc_name(arch) == name), None)


def groups_of(machine: str) -> tuple[str, ...]:
    """The groups that a machine (AOSC's name) is in."""
    return _GROUPS.get(machine, ())


def for_machine(
    values: Mapping[str, V], name: str, machine: str, *, groups: bool, origin: str
) -> tuple[str, V | None]:
    """Choose among ``NAME__MACHINE``, ``NAME__GROUP`` and ``NAME``; empty values count.

    Args:
        values: all variables.
        name: the variable's name without a suffix.
        machine: AOSC's name of the machine.
        groups: whether groups are looked at (in defines they are, in a spec they are not).
        origin: the file, for messages.

    Returns:
        the name of the chosen variable and its value; the plain name and ``None`` when none is set.

    Raises:
        BundleError: two groups of the machine have a value.
    """
    exact = f"{name}__{machine.upper()}"
    if exact in values:
        return exact, values[exact]
    suffixed = [f"{name}__{group.upper()}" for group in groups_of(machine)] if groups else []
    found = [candidate for candidate in suffixed if candidate in values]
    if len(found) > 1:
        raise BundleError(
            f"{origin}: {' and '.join(found)} both hold for {machine}",
            resolution=f"Set {exact}.",
        )
    chosen = found[0] if found else name
    return chosen, values.get(chosen)


def check_machine(machine: str, *, fail: str, allow: str, package: str, origin: str) -> None:
    """Refuse a machine that a package is not for.

    Both are extended patterns that must match the whole name, as ``[[ NAME == PATTERN ]]`` does in
    bash with ``extglob``; so ``ppc64`` does not exclude ``ppc64el``.

    Args:
        machine: AOSC's name of the machine.
        fail: FAIL_ARCH, may be empty.
        allow: ALLOW_ARCH, may be empty.
        package: the package's name, for messages.
        origin: where they stand, for messages.

    Raises:
        NotForArch: the machine is excluded.
        BundleError: both are set, or one is no pattern.
    """
    if fail and allow:
        raise BundleError(f"{origin}: FAIL_ARCH and ALLOW_ARCH exclude each other")
    name, pattern = ("FAIL_ARCH", fail) if fail else ("ALLOW_ARCH", allow)
    if not pattern:
        return
    try:
        matched = matches(compile_pattern(characters(pattern), extended=True), machine)
    except PatternError as problem:
        raise BundleError(f"{origin}: {name} is not a pattern: {problem}") from problem
    if matched is bool(fail):
        raise NotForArch(f'{origin}: {package} is not for {machine}: {name}="{pattern}"')


def misses_an_operator(pattern: str) -> bool:
    """Whether a pattern has alternatives outside of a group, where ``|`` means itself."""
    depth, before = 0, ""
    for character in pattern:
        if character == "(":
            depth += before in ("?", "*", "+", "@", "!") or depth > 0
        elif character == ")":
            depth -= depth > 0
        elif character == "|" and not depth:
            return True
        before = character
    return False
