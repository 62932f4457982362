"""What one tool's profile adds to an environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from lapstrake.toolchain.facts import Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Variables and files of one profile.

    Attributes:
        variables: what is set; ``{FILES}`` stands for the folder of the files.
        flags: what goes in front of the user's own flags.
        folders: what goes to the front of lists of folders, such as ``PATH``.
        unset: what is removed.
        files: generated files, by name.
        notes: what to know, a line each.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    flags: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


FILES = "{FILES}"
"""In a variable's value: the folder of the generated files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What profiles are made from.

    Attributes:
        facts: the toolchain and the sysroot.
        given: the variables of packages and the project (``TARGET_ARCH`` ...).
        flags: the flags of C and C++, by variable.
        machine_flags: of these, the ones that choose the processor.
    """

    facts: Facts
    given: Mapping[str, str]
    flags: Mapping[str, str]
    machine_flags: tuple[str, ...] = ()


Profile: TypeAlias = Callable[[Known], Part]
"""From what is known to what one tool needs; pure."""
