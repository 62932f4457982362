"""Several programs at a time, followed from one thread; none outlives us."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_GRACE_SECONDS = 20.0
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildEvent:
    """Something a child did.

    Attributes:
        name: which child.
        line: a line of what it said on its standard error; empty at its end.
        status: its exit status, at its end; negative when a signal ended it.
        output: all of its standard output, at its end.
    """

    name: str
    line: bytes = b""
    status: int | None = None
    output: bytes = b""


class Children:
    """A set of running programs; leaving the block ends those that still run.

    They are told first (SIGTERM, so that they clean up), and killed when they do not listen.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._said: dict[str, bytes] = {}
        self._rest: dict[str, bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()
        self._selector.close()

    def __len__(self) -> int:
        return len(self._running)

    def start(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a program.

        Args:
            name: what its events are told with.
            argv: the program and its arguments.
            env: its whole environment; our own when it is ``None``: then the child is ourselves.
        """
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,
        )
        self._running[name] = process
        self._said[name] = self._rest[name] = b""
        for stream, which in ((process.stdout, "out"), (process.stderr, "err")):
            assert stream is not None  # noqa: S101 - both are pipes
            self._selector.register(stream, selectors.EVENT_READ, (name, which))

    def events(self, timeout: float | None = None) -> Iterator[ChildEvent]:
        """Wait until something happens, and tell it; call again while children run.

        Args:
            timeout: seconds to wait at most.
        """
        for key, _ in self._selector.select(timeout):
            name, which = key.data
            data = os.read(key.fd, _READ_BYTES)
            if not data:
                self._selector.unregister(key.fileobj)
            elif which == "out":
                self._said[name] += data
            else:
                lines = (self._rest[name] + data).split(b"\n")
                self._rest[name] = lines.pop()
                yield from (ChildEvent(name=name, line=line) for line in lines)
            if not data and not self._still_open(name):
                process = self._running.pop(name)
                yield ChildEvent(name=name, status=process.wait(), output=self._said.pop(name))

    def signal(self, number: int) -> None:
        """Send a signal to all that still run."""
        for process in self._running.values():
            process.send_signal(number)

    def terminate(self) -> None:
        """End all that still run; what they still say is read, so that nothing blocks them."""
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while self._running and (left := deadline - time.monotonic()) > 0:
            for _ in self.events(timeout=left):
                pass
        for process in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._running.clear()

    def _still_open(self, name: str) -> bool:
        return any(key.data[0] == name for key in self._selector.get_map().values())
