"""The page of exit codes."""

from __future__ import annotations

import inspect

from generators.markdown import NOTE, one_line, table
from lapstrake import errors


def exit_codes() -> str:
    """The codes of `lapstrake.errors`."""
    kinds = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, errors.LapstrakeError)
        if kind.__name__ != "Interrupted"  # its code is the signal's
    ]
    rows = [("0", "", "Everything went well.")]
    for kind in sorted(kinds, key=lambda kind: kind.exit_code):
        if kind is errors.StepError:
            continue  # its subclasses name the step
        meaning = _OTHER if kind is errors.LapstrakeError else one_line(kind)
        rows.append((str(kind.exit_code), f"`{kind.__name__}`", meaning))
    rows.append(("129, 130, 143", "`Interrupted`", _INTERRUPTED))
    return "\n".join([NOTE, _EXIT_HEAD, table(("code", "class", "meaning"), rows)])


_INTERRUPTED = "The terminal went away, the user interrupted, the process was told to terminate."
_OTHER = "Something else went wrong, or Lapstrake itself has an error."


_EXIT_HEAD = """\
# Exit codes

The codes are part of the interface: a code is never used for something else later. Each stage of a
build has its own. Classes are those of `lapstrake.errors`.
"""
