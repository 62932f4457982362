"""Programs of the host that start others and mount things: all of it is gone when we are.

A killed run must leave neither their processes nor their mounts behind, and a group of processes
(`lapstrake.host.process`) is no fence for programs that make sessions of their own.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from lapstrake.errors import StoreError
from lapstrake.host import owned, sandbox, supervise
from lapstrake.host.locks import locked
from lapstrake.host.process import clean_environment
from lapstrake.host.usage import Limits

_LOCK = "lock"
_SECONDS_TO_LOCK = 60


def run_contained(
    argv: Sequence[str | Path], *, scratch: Path, on_output: Callable[[bytes], None]
) -> int:
    """Run a program to its end; what it started dies with it, and with us.

    Root's program has mounts of its own, which the host never sees.

    Args:
        argv: the program and its arguments.
        scratch: where it keeps its temporary files.
        on_output: gets both of its outputs as they come.

    Returns:
        its exit status, 128 + the number of a signal that ended it.
    """
    plan = sandbox.SandboxPlan(
        argv=tuple(str(word) for word in argv),
        env=clean_environment({"TMPDIR": str(scratch)}),
        namespaces=("mnt",) if os.geteuid() == 0 else (),
        confined=False,
        adopts=True,
    )
    process = sandbox.spawn(plan)
    return supervise.watch(process, limits=Limits(), on_output=on_output).status


@contextmanager
def open_scratch(purpose: str) -> Iterator[Path]:
    """A folder in the system's temporary one that ids of ours besides our own may enter.

    Those that killed runs of the same user and purpose left are removed first.
    """
    top = Path(tempfile.gettempdir())
    prefix = f"lapstrake-{purpose}-{os.geteuid()}-"
    for left in top.glob(f"{prefix}*"):
        with suppress(FileNotFoundError):  # its maker has just ended
            _remove_if_left(left)
    folder = top / f"{prefix}{os.urandom(8).hex()}"
    try:  # of everything: an interruption may come at any line
        folder.mkdir(mode=0o755)
        with locked(folder / _LOCK, what=str(folder)):
            yield folder
    finally:
        owned.remove_owned(folder)


def _remove_if_left(folder: Path) -> None:
    """Remove such a folder if it is ours and whoever made it is dead."""
    facts = folder.lstat()
    young = time.time() - facts.st_ctime < _SECONDS_TO_LOCK and not (folder / _LOCK).exists()
    if facts.st_uid != os.geteuid() or young:
        return
    try:
        with locked(folder / _LOCK, what=str(folder), timeout=0):
            owned.remove_owned(folder)
    except StoreError:
        return
