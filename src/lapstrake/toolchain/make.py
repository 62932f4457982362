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
_AWKWARD = re.compile(r"[\"'\\$;&|<>`]")


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
    known = _known(facts, given)
    merged = known.given
    wanted = {ProfileName.COMPILER, *profiles}
    parts = [profile(known) for name, profile in PROFILES.items() if name in wanted]
    joined = reduce(_join, parts, Part(notes=_notes(merged)))
    folder = folder_of(joined.files, files)
    variables = {k: v.replace(FILES, str(folder)) for k, v in joined.variables.items()}
    fronts = {name: Front(text=text, separator=":") for name, text in joined.folders.items()}
    if policy is FlagPolicy.REPLACE:
        variables |= joined.flags
    else:
        fronts |= {name: Front(text=text) for name, text in joined.flags.items() if text}
    variables |= merged
    return CrossEnvironment(
        variables=variables,
        fronts={name: front for name, front in fronts.items() if name not in merged},
        unset=tuple(name for name in joined.unset if name not in variables),
        files={str(folder / name): text for name, text in joined.files.items()},
        notes=joined.notes,
    )


def _known(facts: Facts, given: Sequence[Mapping[str, str]]) -> Known:
    """The flags of C and C++ with what packages add, and all other variables of packages."""
    flags = first_flags(facts)
    machine: tuple[str, ...] = ()
    for each in given:
        flags |= {name: each[name] for name in FLAGS if name in each}
        if words := _machine_flags(each):
            machine = (*words, *machine)
            for name in ("CFLAGS", "CXXFLAGS"):
                flags[name] = " ".join((*words, flags[name]))
    others = {k: v for each in given for k, v in each.items() if k not in FLAGS}
    return Known(facts=facts, given=others, flags=flags, machine_flags=machine)


def _machine_flags(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The words of ``TARGET_GCC_FLAGS``, which go into files of other tools too.

    Raises:
        ToolchainError: they have signs that those would read otherwise.
    """
    text = variables.get(_MACHINE_FLAGS, "")
    if _AWKWARD.search(text):
        raise ToolchainError(
            f"{_MACHINE_FLAGS} has signs that no flag of a processor has: {text!r}",
            resolution="Correct it in [env] of the package that sets it.",
        )
    return tuple(text.split())


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
