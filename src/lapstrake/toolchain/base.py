"""The environment of a cross compiler as a value: our own process never changes.

`CrossEnvironment` says what is to be set, put in front of what is there, and removed; `applied`
gives what a program is started with. It leaves a mark, `MARK`, by which a later one knows what an
earlier one did: entering twice, or for another target, or with a newer system is as entering once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zlib import crc32

MARK = "LAPSTRAKE_CROSS"
"""``NAME=LENGTH.SUM ...``: how much of each variable is ours, and the CRC-32 of that."""

_SEPARATORS = " :"


class FlagPolicy(StrEnum):
    """What becomes of flags (``CFLAGS`` ...) that the user has set."""

    APPEND = "append"  # ours, then the user's, which hold where the two disagree
    REPLACE = "replace"  # only ours, as Nerves has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What is put in front of a variable's value.

    Attributes:
        text: what.
        separator: what stands between the two.
    """

    text: str
    separator: str = " "


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEnvironment:
    """What a program that compiles for another machine is started with.

    Attributes:
        variables: what is set.
        fronts: what is put in front of values that are there.
        unset: what is removed.
        files: files that the variables point to, by their whole paths; see `toolchain.files`.
        notes: what to know about it, a line each.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    fronts: Mapping[str, Front] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def changes(self, environ: Mapping[str, str]) -> dict[str, str | None]:
        """What differs from an environment: a variable's new value, or ``None`` to remove it."""
        before = without_ours(environ)
        gone = [name for name in environ if name not in before]
        result: dict[str, str | None] = dict.fromkeys((*gone, *self.unset))
        result.update(self.variables)
        for name, front in self.fronts.items():
            rest = before.get(name, "")
            result[name] = front.text + front.separator + rest if rest else front.text
        ours = {name: front.text for name, front in self.fronts.items()}
        if mark := _mark({**self.variables, **ours}):
            result[MARK] = mark
        return result

    def applied(self, environ: Mapping[str, str]) -> dict[str, str]:
        """An environment with the changes."""
        merged = {**without_ours(environ), **self.changes(environ)}
        return {name: value for name, value in merged.items() if value is not None}


def without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment as it was before a `CrossEnvironment`; what the user changed since stays.

    So the ``NERVES_SYSTEM`` that we export is not taken for one that the user chose.
    """
    result = dict(environ)
    for word in result.pop(MARK, "").split():
        name, _, sum_ = word.partition("=")
        value = result.get(name)
        length = sum_.partition(".")[0]
        if value is None or not length.isdecimal() or _sum(value[: int(length)]) != sum_:
            continue
        rest = value[int(length) :]
        if not rest:
            del result[name]
        elif rest[0] in _SEPARATORS:
            result[name] = rest[1:]
    return result


def _mark(ours: Mapping[str, str]) -> str:
    return " ".join(f"{name}={_sum(text)}" for name, text in sorted(ours.items()))


def _sum(text: str) -> str:
    return f"{len(text)}.{crc32(os.fsencode(text)):08x}"
