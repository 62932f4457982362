"""Act as the owner of a root's files: the ids of a rootless store belong to its user, not to us.

For root these are plain programs; a rootless user enters a user namespace for them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from lapstrake.errors import LapstrakeError, StoreError
from lapstrake.host import files, idmap, mounts, sandbox, supervise
from lapstrake.host.process import clean_environment, tail
from lapstrake.host.usage import Limits

_RUN_MODULE = """
import runpy, sys
module, sys.path[:] = sys.argv[1], sys.argv[2].split(":")
del sys.argv[1:3]
try:
    runpy.run_module(module, run_name="__main__", alter_sys=True)
except OSError as failed:  # the disk, mostly: a line says it
    sys.exit(f"{failed.filename or module}: {failed.strerror or failed}")
except RecursionError:
    sys.exit("folders are nested more deeply than any package needs")
"""
"""How a module is found where ours are, by an interpreter that heeds nobody's environment."""


def run_owned(
    argv: Sequence[str | Path],
    *,
    doing: str,
    error: type[LapstrakeError],
    stdin: int | None = None,
    cwd: Path | None = None,
    on_output: Callable[[bytes], None] | None = None,
    fine: Collection[int] = (0,),
) -> bytes:
    """Run a program of the host as root of our ids, to its end.

    Args:
        argv: the program and its arguments.
        doing: what for, the beginning of the error's brief.
        error: raised, with the last lines of output, when it fails.
        stdin: a descriptor it reads.
        cwd: where it starts.
        on_output: gets its output as it comes.
        fine: the statuses with which it has not failed.

    Returns:
        all of its output, both streams.
    """
    rootless = os.geteuid() != 0
    plan = sandbox.SandboxPlan(
        argv=tuple(str(word) for word in argv),
        env=clean_environment({"HOME": "/root"} if not rootless else None),
        cwd=str(cwd or "/"),
        namespaces=("user", "mnt") if rootless else (),
        ids=idmap.current_map() if rootless else None,
        confined=False,
    )
    output = bytearray()

    def keep(data: bytes) -> None:
        output.extend(data)
        if on_output is not None:
            on_output(data)

    process = sandbox.spawn(plan, stdin=stdin)
    outcome = supervise.watch(process, limits=Limits(), on_output=keep)
    if outcome.status not in fine:
        program = Path(plan.argv[0]).name
        raise error(
            f"{doing}: {program} ended with status {outcome.status}", details=tail(bytes(output))
        )
    return bytes(output)


def run_module(module: str, *words: str | Path, doing: str, error: type[LapstrakeError]) -> bytes:
    """Run one of our own modules as a program, as root of our ids, to its end.

    Args:
        module: its name; it should import little.
        words: its arguments.
        doing: as of `run_owned`.
        error: as of `run_owned`.

    Returns:
        all of its output, both streams.
    """
    interpreter = getattr(sys, "_base_executable", sys.executable)
    argv = [interpreter, "-SIB", "-c", _RUN_MODULE, module, os.pathsep.join(sys.path), *words]
    return run_owned(argv, doing=doing, error=error)


def remove_owned(path: Path) -> None:
    """Remove a tree of a root's files, but nothing that is mounted in it, or where a link leads."""
    if path.is_symlink():
        path.unlink()
    elif os.geteuid() == 0:
        mounts.detach_below(path)
        files.remove_tree(path)
    else:
        try:
            files.remove_tree(path)
        except (OSError, StoreError):
            run_owned(["rm", "-rf", "--", path], doing=f"removing {path}", error=StoreError)


def copy_owned(source: Path, target: Path) -> None:
    """Copy a tree with owners, modes, links, devices and attributes."""
    run_owned(
        ["cp", "-a", "--reflink=auto", "-T", "--", source, target],
        doing=f"copying {source}",
        error=StoreError,
    )


def size_owned(path: Path) -> int:
    """Bytes on disk of a tree of a root's files."""
    size, whole = supervise.measure_tree(path)
    if whole:
        return size
    # Other ids' folders, and paths longer than the kernel takes: du goes from folder to folder.
    # What vanishes meanwhile (a build may go on) makes du complain, but it tells the rest.
    script = 'du -s --block-size=1 -- "$1" 2>/dev/null || :'
    output = run_owned(
        ["sh", "-c", script, "sh", path], doing=f"measuring {path}", error=StoreError
    )
    return int(output.split()[0]) if output.strip() else size
