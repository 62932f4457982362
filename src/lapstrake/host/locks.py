"""Locks between processes: ``flock(2)`` on a file of its own, shared or exclusive.

The kernel drops such a lock when its holder dies, however it dies, so no lock is ever stale. The
lock file stays behind on purpose: removing it would let two processes lock two files of one name.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lapstrake.errors import LapstrakeError, StoreError

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
_FIRST_UNCOMMON = 200  # shells' scripts use the descriptors 3 to 9, shells themselves 10 and more


@contextmanager
def locked(
    path: Path,
    *,
    what: str,
    exclusive: bool = True,
    inherited: bool = False,
    timeout: float | None = None,
    error: type[LapstrakeError] = StoreError,
    on_wait: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Hold a lock while the block runs.

    Two threads of one process exclude each other as two processes do; a thread that takes a lock it
    holds already waits for itself. A child started by `lapstrake.host.process` does not inherit it.

    Args:
        path: the lock file; made (with its folder) when missing.
        what: what is locked, for messages: ``"the repository of stable"``.
        exclusive: one holder; otherwise any number of shared holders, and no exclusive one.
        inherited: a program that takes our place (execve(2)) holds it on, and so does what that
            starts, until the last of them has ended.
        timeout: seconds to wait; 0 tries once, ``None`` waits for ever.
        error: raised, naming the holders, when the time is over or the file cannot be made.
        on_wait: called once, with a line that names the holders, before a wait begins.
    """
    descriptor = _acquire(
        path, what=what, exclusive=exclusive, timeout=timeout, error=error, on_wait=on_wait
    )
    if inherited:
        descriptor = _out_of_the_way(descriptor)
    try:
        yield
    finally:
        os.close(descriptor)


def holders(path: Path) -> tuple[int, ...]:
    """Find the processes that hold a lock file, by ``/proc/locks``.

    Empty when nobody does, and also when they cannot be seen from here (another PID namespace).
    """
    try:
        status = path.stat()
        table = Path("/proc/locks").read_text(encoding="ascii")
    except OSError:
        return ()
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    found: dict[int, str] = {}
    for line in table.splitlines():
        words = line.split()
        # "1: FLOCK ADVISORY WRITE 4711 fe:01:1234 0 EOF"; a waiter's line has "->" in front.
        if len(words) != 8 or words[1] != "FLOCK":
            continue
        where, _, inode = words[5].rpartition(":")
        if inode == str(status.st_ino) and int(words[4]) > 0:
            found[int(words[4])] = where
    # Btrfs and overlay show a device there that stat() does not know: then the inode must do.
    exact = tuple(pid for pid, where in found.items() if where == device)
    return exact or tuple(found)


def _acquire(
    path: Path,
    *,
    what: str,
    exclusive: bool,
    timeout: float | None,
    error: type[LapstrakeError],
    on_wait: Callable[[str], None] | None,
) -> int:
    """Lock the file that `path` names *now*, until the descriptor is closed."""
    deadline = None if timeout is None else time.monotonic() + timeout
    pause, told = _FIRST_PAUSE, False
    while True:
        descriptor = _open(path, what, error)
        if _try(descriptor, exclusive=exclusive):
            if _still_names(path, descriptor):
                return descriptor
            os.close(descriptor)  # somebody removed the file between our open and our lock
            continue
        os.close(descriptor)
        if deadline is not None and time.monotonic() >= deadline:
            raise error(
                f"{what} is in use by {_describe(holders(path))}",
                resolution=f"Wait for it to end, or end it (lock file {path}).",
            )
        if on_wait is not None and not told:
            told = True
            on_wait(f"waiting for {what}, in use by {_describe(holders(path))}")
        if deadline is not None:
            pause = min(pause, max(deadline - time.monotonic(), 0.0))
        time.sleep(pause)
        pause = min(max(pause, _FIRST_PAUSE) * 1.5, _LONGEST_PAUSE)


def _open(path: Path, what: str, error: type[LapstrakeError]) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            return os.open(path, flags, 0o644)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(path, flags, 0o644)
    except OSError as refused:
        raise error(
            f"cannot lock {what}: {path}: {refused.strerror}",
            resolution="Set work_dir (or $LAPSTRAKE_WORK_DIR) to a folder that you may write.",
        ) from refused


def _try(descriptor: int, *, exclusive: bool) -> bool:
    kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as refused:
        if refused.errno in (errno.EWOULDBLOCK, errno.EINTR):
            return False
        os.close(descriptor)
        raise
    return True


def _out_of_the_way(descriptor: int) -> int:
    """A descriptor that execve(2) keeps, with a number that no script takes for its own."""
    try:
        moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD, _FIRST_UNCOMMON)
    except OSError:  # so many may not be open
        os.set_inheritable(descriptor, True)
        return descriptor
    os.close(descriptor)
    return moved


def _still_names(path: Path, descriptor: int) -> bool:
    try:
        now = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(descriptor)
    return (now.st_dev, now.st_ino) == (ours.st_dev, ours.st_ino)


def _describe(pids: tuple[int, ...]) -> str:
    if not pids:
        return "another process"
    names = []
    for pid in pids[:5]:
        try:
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            name = "ended"
        names.append(f"{pid} ({name})")
    return ("process " if len(pids) == 1 else "processes ") + ", ".join(names)
