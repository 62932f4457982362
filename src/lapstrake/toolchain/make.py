"""From facts to an environment: the compiler's part, then a profile for each tool. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from functools import reduce
from pathlib import PurePath

from lapstrake.errors import ToolchainError
from lapstrake.toolchain.autotools import autotools
from lapstrake.toolchain.base import CrossEnvironment, FlagPolicy, Front
from lapstrake.toolchain.cmake import cmake
from lapstrake.toolchain.compiler import FLAGS, compiler, first_flags
from lapstrake.toolchain.erlang import erlang
from lapstrake.toolchain.facts import Facts
from lapstrake.toolchain.files import folder_of
from lapstrake.toolchain.golang import golang
from lapstrake.toolchain.meson import meson
from lapstrake.toolchain.part import FILES, Known, Part, Profile
from lapstrake.toolchain.rust import rust

_MACHINE_FLAGS = "TARGET_GCC_FLAGS"


class ProfileName(StrEnum):
    """What an environment can be made for; `COMPILER` is always part of it."""

    COMPILER = "compiler"
    AUTOTOOLS = "autotools"
    CMAKE = "cmake"
    MESON = "meson"
    RUST = "rust"
    GO = "go"
    ERLANG = "erlang"


PROFILES: Mapping[ProfileName, Profile] = {
    ProfileName.COMPILER: compiler,
    ProfileName.AUTOTOOLS: autotools,
    ProfileName.CMAKE: cmake,
    ProfileName.MESON: meson,
    ProfileName.RUST: rust,
    ProfileName.GO: golang,
    ProfileName.ERLANG: erlang,
}
"""The profiles, in the order in which they are applied."""


def make_environment(
    facts: Facts,
    *,
    files: PurePath,
    given: Sequence[Mapping[str, str]] = (),
    profiles: Collection[ProfileName] = tuple(ProfileName),
    policy: FlagPolicy = FlagPolicy.APPEND,
) -> CrossEnvironment:
    """Make the environment.

    Args:
        facts: the toolchain and the sysroot.
        files: below it are the folders of generated files, where the environment will be used.
        given: variables of packages and the project, in order; they win over ours. Each
            ``TARGET_GCC_FLAGS`` also goes to the front of the flags of C and C++.
        profiles: which tools it is for.
        policy: what becomes of the user's own flags.

    Raises:
        ToolchainError: versions do not fit each other.
    """
    flags, merged = _flags_and_given(facts, given)
    known = Known(facts=facts, given=merged, flags=flags)
    wanted = {ProfileName.COMPILER, *profiles}
    parts = [profile(known) for name, profile in PROFILES.items() if name in wanted]
    joined = reduce(_join, parts, Part(notes=_notes(merged)))
    folder = folder_of(joined.files, files)
    variables = {k: v.replace(FILES, str(folder)) for k, v in joined.variables.items()} | merged
    fronts = {name: Front(text=text, separator=":") for name, text in joined.folders.items()}
    if policy is FlagPolicy.REPLACE:
        variables |= joined.flags
    else:
        fronts |= {name: Front(text=text) for name, text in joined.flags.items() if text}
    return CrossEnvironment(
        variables={k: v for k, v in variables.items() if k not in fronts},
        fronts=fronts,
        unset=tuple(name for name in joined.unset if name not in variables),
        files={str(folder / name): text for name, text in joined.files.items()},
        notes=joined.notes,
    )


def _flags_and_given(
    facts: Facts, given: Sequence[Mapping[str, str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """The flags of C and C++ with what packages add, and all other variables of packages."""
    flags = first_flags(facts)
    merged: dict[str, str] = {}
    for each in given:
        flags |= {name: each[name] for name in FLAGS if name in each}
        merged |= {name: value for name, value in each.items() if name not in FLAGS}
        if _MACHINE_FLAGS in each:
            for name in ("CFLAGS", "CXXFLAGS"):
                flags[name] = f"{each[_MACHINE_FLAGS]} {flags[name]}".strip()
    if re.search(r"[\"'\\$;&|<>`]", merged.get(_MACHINE_FLAGS, "")):
        raise ToolchainError(
            f"{_MACHINE_FLAGS} has signs that no flag of a processor has:"
            f" {merged[_MACHINE_FLAGS]!r}",
            resolution="Correct it in [env] of the package that sets it.",
        )
    return flags, merged


def _notes(given: Mapping[str, str]) -> tuple[str, ...]:
    if "TARGET_ARCH" not in given:
        return ()
    return (
        "TARGET_ARCH is set: make's built-in rules put it among the compiler's words;"
        " makefiles that rely on them need TARGET_ARCH= on make's command line",
    )


def _join(one: Part, two: Part) -> Part:
    return Part(
        variables={**one.variables, **two.variables},
        flags={**one.flags, **two.flags},
        folders={**one.folders, **two.folders},
        unset=(*one.unset, *two.unset),
        files={**one.files, **two.files},
        notes=(*one.notes, *two.notes),
    )
