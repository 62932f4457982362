"""The steps of a native bundle as shell scripts whose lines are those of ``lapstrake.toml``.

A failing command is then reported by the line a packager wrote it on: a script is padded with
empty lines until its text stands where it stands in the TOML file.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from lapstrake.bundle.native_presets import OPTIONS, PRESETS
from lapstrake.formats.toml_lines import line_of

if TYPE_CHECKING:
    from lapstrake.bundle.native_model import NativeBundle, Steps

_BLANK_END = re.compile(r"(\n[ \t]*)+\Z")

ALIGNED = "# lapstrake.toml"
"""First line of a script whose lines are those of the TOML file."""


def step_scripts(bundle: NativeBundle, *, text: str, crossed: bool = False) -> Mapping[str, bytes]:
    """Make the scripts of all steps that do something, as ``steps/1-prepare.sh`` and so on.

    Args:
        bundle: the bundle.
        text: the TOML file it was read from.
        crossed: whether it is cross-compiled: then nothing is checked by running it.
    """
    from lapstrake.bundle.native_model import STEPS

    scripts: dict[str, bytes] = {}
    for number, step in enumerate(STEPS, start=1):
        script = _script(bundle.steps, step, text)
        if script.strip() and not (crossed and step == "check"):
            scripts[f"steps/{number}-{step}.sh"] = script.encode()
    if scripts and bundle.steps.environment:
        pairs = bundle.steps.environment.items()
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in pairs)
        scripts["environment.sh"] = exports.encode()
    return scripts


def _script(steps: Steps, step: str, text: str) -> str:
    commands = getattr(steps, step)
    if commands is None:
        preset = PRESETS[steps.use].steps if steps.use else {}
        return preset.get(step, "").replace(OPTIONS, shlex.join(steps.options))
    chunks = [commands] if isinstance(commands, str) else [_shell(item) for item in commands]
    chunks = [_BLANK_END.sub("", chunk) + "\n" for chunk in chunks if chunk.strip()]
    return align(chunks, lines=text.split("\n"), start=line_of(text, ("steps", step)))


def _shell(command: str | list[str]) -> str:
    return command if isinstance(command, str) else shlex.join(command)


def align(chunks: Sequence[str], *, lines: Sequence[str], start: int) -> str:
    """Put pieces of shell text on the lines where a file has them, if all can be found there.

    Args:
        chunks: the pieces, each ending with a newline.
        lines: the file's lines.
        start: the line, counted from 1, where the search begins.

    Returns:
        a script that begins with `ALIGNED`; or the pieces as they are, one after the other.
    """
    script: list[str] = [ALIGNED]
    for chunk in chunks:
        wanted = chunk.rstrip("\n").split("\n")
        at = _find(wanted, lines, max(start - 1, len(script)))
        if at is None:
            return "".join(chunks)
        script += [""] * (at - len(script))
        script += wanted
    return "\n".join(script) + "\n" if chunks else ""


def _find(wanted: Sequence[str], lines: Sequence[str], start: int) -> int | None:
    """Find where a piece stands: its first and last line may share theirs with TOML's quotes."""
    for at in range(start, len(lines) - len(wanted) + 1):
        found = lines[at : at + len(wanted)]
        inner = all(ours == theirs for ours, theirs in zip(wanted[1:-1], found[1:-1], strict=True))
        if inner and _ends(wanted[0], found[0]) and _ends(wanted[-1], found[-1]):
            return at
    return None


def _ends(ours: str, theirs: str) -> bool:
    """Whether a line of the file holds a line of the script, or a command written as words."""
    if not ours.strip():
        return not theirs.strip()
    if ours.strip() in theirs:
        return True
    try:
        words = shlex.split(ours)
    except ValueError:
        return False
    return theirs.lstrip().startswith("[") and all(word in theirs for word in words)
