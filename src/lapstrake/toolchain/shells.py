"""Variables as text that shells and programs read back exactly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

_EVERYDAY = re.compile(r"[A-Za-z0-9_@%+=:,./ -]*\Z")
_MAKE_HELPERS = """\
lapstrake_empty :=
lapstrake_hash := \\#
define lapstrake_newline


endef
"""

Changes: TypeAlias = Mapping[str, str | None]
"""A variable's value, or ``None`` to remove it."""


class Format(StrEnum):
    """Whose syntax."""

    SH = "sh"  # POSIX: dash, bash, zsh ...
    FISH = "fish"
    JSON = "json"  # null: to be removed
    MAKE = "make"  # GNU make
    DOTENV = "dotenv"  # also fit for `set -a; . FILE` in a shell; removed ones are empty


def as_text(changes: Changes, format_: Format) -> str:
    """Write variables down, sorted by name; every line ends with a newline."""
    return _WRITERS[format_](dict(sorted(changes.items())))


def _sh(changes: Changes) -> str:
    return "".join(
        f"unset {name}\n" if value is None else f"export {name}={_sh_quoted(value)}\n"
        for name, value in changes.items()
    )


def _sh_quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(changes: Changes) -> str:
    return "".join(
        f"set -e {name}\n" if value is None else f"set -gx {name} {_fish_quoted(value)}\n"
        for name, value in changes.items()
    )


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _json(changes: Changes) -> str:
    import json  # not for shells

    return json.dumps(changes, indent=2) + "\n"


def _make(changes: Changes) -> str:
    lines = [
        f"unexport {name}\nundefine {name}\n"
        if value is None
        else f"export {name} := {_make_quoted(value)}\n"
        for name, value in changes.items()
    ]
    hard = any(value and not _EVERYDAY.match(value) for value in changes.values())
    return (_MAKE_HELPERS if hard or any("lapstrake_" in line for line in lines) else "") + "".join(
        lines
    )


def _make_quoted(text: str) -> str:
    """Every sign that make reads otherwise becomes a reference to a variable."""
    text = text.replace("$", "$$").replace("#", "$(lapstrake_hash)")
    text = text.replace("\n", "$(lapstrake_newline)")
    if text[:1].isspace():
        text = "$(lapstrake_empty)" + text
    if text[-1:].isspace() or text.endswith("\\"):
        text += "$(lapstrake_empty)"
    return text


def _dotenv(changes: Changes) -> str:
    return "".join(f"{name}={_dotenv_quoted(value or '')}\n" for name, value in changes.items())


def _dotenv_quoted(text: str) -> str:
    """In single quotes where that is enough: no two readers agree on signs in double ones."""
    if not re.search(r"['\n\\]", text):
        return f"'{text}'"
    return '"' + re.sub(r'(["\\$`])', r"\\\1", text) + '"'


_WRITERS: Mapping[Format, Callable[[Changes], str]] = {
    Format.SH: _sh,
    Format.FISH: _fish,
    Format.JSON: _json,
    Format.MAKE: _make,
    Format.DOTENV: _dotenv,
}
