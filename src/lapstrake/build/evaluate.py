"""Evaluate what only a shell can: with bash, inside a root of the branch, with no network."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from lapstrake.branch.instance import Branch
from lapstrake.branch.workplace import Workplace
from lapstrake.errors import BundleError
from lapstrake.formats.shell import Value
from lapstrake.host.process import tail
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Limits

_FOLDER = GuestPath("/buildroot/evaluate")
_SECONDS = 60.0
_BOUND = 1 << 20

# Prints each variable that the text set: its name, its number of elements, the elements, all ended
# by a NUL, which no variable can hold.
_SCRIPT = rb"""
set -f
. "$1/before"
mapfile -t known < <(compgen -v; echo known; echo name; echo kind)
. "$1/text" >&2
for name in $(compgen -v); do
    case " ${known[*]} " in *" $name "*) [[ $name != [A-Z_]* ]] && continue ;; esac
    kind=$(declare -p "$name" 2>/dev/null) || continue
    if [[ $kind == 'declare -a'* ]]; then
        declare -n elements=$name
        printf '%s\0a%d\0' "$name" "${#elements[@]}"
        ((${#elements[@]} == 0)) || printf '%s\0' "${elements[@]}"
        unset -n elements
    else
        printf '%s\0s\0%s\0' "$name" "${!name}"
    fi
done >"$1/values"
"""


def evaluate_in(
    place: Workplace, branch: Branch, text: str, variables: Mapping[str, Value]
) -> Mapping[str, Value]:
    """Evaluate a file's text with bash inside a root.

    Args:
        place: where.
        branch: whose root.
        text: the file.
        variables: what is set beforehand.

    Returns:
        the variables that are set afterwards.

    Raises:
        BundleError: bash failed; the details are its last lines.
    """
    output = bytearray()
    with (
        place.store.lease(branch.layers) as stack,
        place.store.workspace("evaluate") as workspace,
    ):
        (workspace / "in").mkdir()
        with place.layer_runner.open(stack.trees, _made(workspace / "entered")) as session:
            for name, content in (
                ("text", text.encode()),
                ("before", _assignments(variables).encode()),
                ("script", _SCRIPT),
            ):
                (workspace / "in" / name).write_bytes(content)
            session.put(workspace / "in", _FOLDER)
            outcome = session.run(
                Command(
                    argv=("/bin/bash", "--norc", str(_FOLDER / "script"), str(_FOLDER)),
                    limits=Limits(seconds=_SECONDS, memory=1 << 30, processes=200),
                ),
                on_output=output.extend,
            )
            session.get(_FOLDER / "values", workspace / "values")
        if not outcome.ok or not (workspace / "values").is_file():
            raise BundleError(
                "the bundle's variables could not be evaluated in the root",
                details=tail(bytes(output)),
            )
        return parse_values((workspace / "values").read_bytes()[:_BOUND])


def parse_values(data: bytes) -> dict[str, Value]:
    """Read what the script printed."""
    words = iter(data.decode("utf-8", "replace").split("\0")[:-1])
    values: dict[str, Value] = {}
    for name in words:
        kind = next(words, "s")
        if kind.startswith("a") and kind[1:].isdigit():
            values[name] = tuple(next(words, "") for _ in range(int(kind[1:])))
        else:
            values[name] = next(words, "")
    return values


def _assignments(variables: Mapping[str, Value]) -> str:
    """Variables as shell text."""
    lines = []
    for name, value in variables.items():
        text = (
            shlex.quote(value)
            if isinstance(value, str)
            else f"({' '.join(shlex.quote(word) for word in value)})"
        )
        lines.append(f"{name}={text}\n")
    return "".join(lines)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
