"""A terminal of its own for a command: bytes both ways, and the window's size (pty(7))."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from types import FrameType

from lapstrake.host import sandbox

_READ_BYTES = 1 << 16


def has_terminal() -> bool:
    """Whether standard input and output are a terminal."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def converse(plan: sandbox.SandboxPlan) -> int:
    """Run a plan on a terminal of its own, joined to ours.

    Returns:
        the command's exit status.

    Raises:
        RunnerError: the sandbox could not be set up.
    """
    ours, theirs = open_pair()
    try:
        process = sandbox.spawn(plan, stdin=theirs, stdout=theirs)
    finally:
        os.close(theirs)
    ended = os.pidfd_open(process.process.pid)
    try:
        relay(ours, ended, lambda: copy_window_size(ours))
        process.kill()
        failure = process.failure()
        if failure is not None:
            raise failure
        return process.process.returncode
    finally:
        process.close()
        os.close(ended)
        os.close(ours)


def open_pair() -> tuple[int, int]:
    """A new terminal: our end and the command's, with our window's size."""
    ours, theirs = pty.openpty()
    if has_terminal():
        copy_window_size(ours)
    return ours, theirs


def copy_window_size(terminal: int) -> None:
    """Give a terminal the size of our window (TIOCSWINSZ tells its processes)."""
    size = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, b"\0" * 8)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, size)


def relay(ours: int, ended: int, on_resize: Callable[[], None]) -> None:
    """Pass bytes between our terminal and `ours` until the pidfd `ended` is ready."""
    with _raw(sys.stdin.fileno()), _resizes(on_resize):
        poll = select.poll()
        for descriptor in (sys.stdin.fileno(), ours, ended):
            poll.register(descriptor, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if ours in ready and not _copy(ours, sys.stdout.fileno()):
                poll.unregister(ours)
            if sys.stdin.fileno() in ready and not _copy(sys.stdin.fileno(), ours):
                poll.unregister(sys.stdin.fileno())
            if ended in ready and ours not in ready:
                return


def _copy(source: int, target: int) -> bool:
    """Copy what can be read now; False at the end (EIO: the other side of a pty is closed)."""
    try:
        data = os.read(source, _READ_BYTES)
    except OSError:
        return False
    while data:
        data = data[os.write(target, data) :]
        if not data:
            return True
    return False


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Every key goes to the command, also Ctrl-C; restored whatever happens."""
    if not os.isatty(terminal):
        yield
        return
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


@contextlib.contextmanager
def _resizes(on_resize: Callable[[], None]) -> Iterator[None]:
    """Call back when the window's size changes."""

    def changed(_number: int, _frame: FrameType | None) -> None:
        on_resize()

    before = signal.signal(signal.SIGWINCH, changed)
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)
