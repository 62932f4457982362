"""Another program in place of ours: execve(2), with everything about us as the user had it."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence

_NOT_FOUND, _NOT_RUN = 127, 126  # as shells say it
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def replace_process(argv: Sequence[str], environ: Mapping[str, str], *, umask: int) -> int:
    """Run a program in our place; what it returns is then our exit status.

    Args:
        argv: the program, found by the ``PATH`` of `environ`, and its arguments.
        environ: its whole environment.
        umask: its file mode mask.

    Returns:
        only when the program cannot be run: 127 if it is not there, else 126. Told on stderr.
    """
    found = _find(argv[0], environ.get("PATH", os.defpath))
    if found is None:
        return _told(f"{argv[0]}: not found", _NOT_FOUND)
    sys.stdout.flush()
    sys.stderr.flush()
    before = {each: signal.signal(each, signal.SIG_DFL) for each in _IGNORED_BY_PYTHON}
    ours = os.umask(umask)
    try:
        os.execve(found, list(argv), dict(environ))  # noqa: S606 - no shell is wanted
    except OSError as refused:
        os.umask(ours)
        for each, handler in before.items():
            signal.signal(each, handler)
        missing = isinstance(refused, FileNotFoundError)  # the interpreter of a script
        return _told(f"{argv[0]}: {refused.strerror}", _NOT_FOUND if missing else _NOT_RUN)


def _find(name: str, path: str) -> str | None:
    """A program as a shell finds it: one that is no program at all is better than none."""
    if "/" in name:
        return name
    return shutil.which(name, path=path) or shutil.which(name, os.F_OK, path=path)


def _told(text: str, status: int) -> int:
    sys.stderr.write(f"lapstrake: {text}\n")
    return status
