"""A program of ours that works beside us and is spoken to in lines; it never outlives us."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

_PR_SET_PDEATHSIG = 1


class Companion:
    """A running program: lines go to its standard input and come from its standard output.

    What it says on its standard error goes where ours does. It is the leader of a process group
    of its own, so that a Ctrl-C of the terminal is ours to handle.

    Args:
        argv: the program and its arguments; never a secret, since anybody may read them.
        env: its whole environment.
        on_line: called with each line that it says, in a thread of its own.
        on_end: called in that thread, with the exit status, when it has ended and said all.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        on_line: Callable[[bytes], None],
        on_end: Callable[[int], None],
    ) -> None:
        self._on_line, self._on_end = on_line, on_end
        self._process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._listen, name="companion", daemon=True)
        self._reader.start()

    def tell(self, line: bytes) -> None:
        """Say a line to it; one that has ended already does not hear it."""
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(line + b"\n")
            self._process.stdin.flush()

    def kill(self) -> None:
        """Kill it; what it started itself must notice (see `end_with_parent`, and lifelines)."""
        with contextlib.suppress(ProcessLookupError):
            if self._process.returncode is None:
                self._process.send_signal(signal.SIGKILL)

    def _listen(self) -> None:
        """Hand on what it says until it has ended."""
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as said:
            for line in said:
                self._on_line(line.rstrip(b"\n"))
        status = self._process.wait()
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None  # noqa: S101 - it is a pipe
            self._process.stdin.close()
        self._on_end(status)


def end_with_parent(parent: int) -> None:
    """Have the kernel kill us when our parent dies (PR_SET_PDEATHSIG(2const)).

    It is the parent's *thread* that counts: it must start us from one that stays.

    Args:
        parent: who our parent should be; if it is dead already, we end at once.
    """
    import ctypes  # not at start-up: only companions need it

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
