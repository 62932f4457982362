"""Evaluate a file with bash *inside a root*: the script that does it, and the reader of its output.

For the few files that `lapstrake.formats.shell` refuses. The caller runs ``bash -c SCRIPT bash
FILE`` in a sandbox; what comes back is data written by somebody else, and is read as such.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from lapstrake.errors import BundleError
from lapstrake.formats.shell import Value

MAX_OUTPUT = 1 << 22
"""Bytes of a script's output that are read."""

_BEGIN = b"\0variables\0"
"""Printed between what the file itself prints, errors above all, and the variables."""

_END = "."
"""Printed last, where a name would stand: without it the output is cut off."""

_BEFORE = r"""
shopt -s extglob globstar nullglob
declare -A __lapstrake_old
for __lapstrake in $(compgen -v); do __lapstrake_old[$__lapstrake]=1; done
"""

_AFTER = r"""
exec 3>&1 >&2
. "$1" || exit
printf '\0variables\0' >&3
for __lapstrake in $(compgen -v); do
  case $__lapstrake in __lapstrake* | BASH* | PIPESTATUS) continue ;; esac
  [[ ! -v __lapstrake_old[$__lapstrake] ]] || continue
  declare -n __lapstrake_value=$__lapstrake
  __lapstrake_kind=text
  [[ ${__lapstrake_value@a} != *a* ]] || __lapstrake_kind=array
  printf '%s\0%s\0%s\0' "$__lapstrake" "$__lapstrake_kind" "${#__lapstrake_value[@]}" >&3
  ((${#__lapstrake_value[@]} == 0)) || printf '%s\0' "${__lapstrake_value[@]}" >&3
  unset -n __lapstrake_value
done
printf . >&3
"""


def script(variables: Mapping[str, Value]) -> str:
    """Write the script: it sources its first argument and prints the variables.

    Args:
        variables: what is set beforehand.
    """
    lines = [
        f"{name}=({' '.join(map(shlex.quote, value))})"
        if isinstance(value, tuple)
        else f"{name}={shlex.quote(value)}"
        for name, value in variables.items()
    ]
    return _BEFORE + "\n".join(lines) + _AFTER


def said(output: bytes) -> bytes:
    """What the file printed before its variables, bash's errors above all.

    Args:
        output: all output, of both streams in one.
    """
    return output.partition(_BEGIN)[0]


def parse(output: bytes, *, variables: Mapping[str, Value], origin: str) -> Mapping[str, Value]:
    """Read what the script printed.

    Args:
        output: all of it; what comes before the variables is passed over.
        variables: what was set beforehand.
        origin: the file's name, for messages.

    Returns:
        what the file has set to something else than before.

    Raises:
        BundleError: it is cut off, too long, or not what the script prints.
    """
    if len(output) > MAX_OUTPUT:
        raise BundleError(f"{origin}: its variables are larger than {MAX_OUTPUT} bytes")
    try:
        text = output.partition(_BEGIN)[2].decode("utf-8")
        found = dict(_variables(iter(text.split("\0"))))
    except (ValueError, StopIteration, RuntimeError) as problem:
        raise BundleError(f"{origin}: bash did not print its variables in full") from problem
    return {name: value for name, value in found.items() if variables.get(name) != value}


def _variables(fields: Iterator[str]) -> Iterator[tuple[str, Value]]:
    """Yield names and values; raises ``RuntimeError`` (PEP 479) when the fields end early."""
    for name in fields:
        if name == _END:
            return
        kind, size = next(fields), int(next(fields))
        elements = tuple(next(fields) for _ in range(size))
        if kind == "array":
            yield name, elements
        else:
            (value,) = elements
            yield name, value
    raise ValueError("there is no end")
