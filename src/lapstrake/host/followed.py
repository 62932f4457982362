"""One long program, followed line by line from an event loop; nothing of it outlives its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_GRACE_SECONDS = 15.0
_LAST_WORDS_SECONDS = 2.0
_POLL_SECONDS = 0.02
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended.

    Attributes:
        status: its exit status; negative when a signal ended it.
        output: all of its standard output.
        late: whether it was ended because its time was over.
    """

    status: int
    output: bytes
    late: bool = False


async def follow(
    argv: Sequence[str],
    *,
    line: bytes,
    on_output: Callable[[bytes], None],
    timeout: float,
) -> Ended:
    """Run a program of ours to its end, with our own environment.

    Its standard input gives one line and stays open while we live: its end tells the program that
    nobody waits any more, however we ended. When its time is over, or the caller is cancelled, it
    is told to end (SIGTERM, so that it cleans up), and killed with all it started if it does not.

    Args:
        argv: the program and its arguments.
        line: what it reads first, without the line's end.
        on_output: gets what it says on standard error, as it comes.
        timeout: seconds.
    """
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    )
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin and stdout and stderr  # noqa: S101, PT018 - all three are pipes
    told = asyncio.ensure_future(_pass_on(stderr, on_output))
    output = asyncio.ensure_future(stdout.read())
    late = False
    try:
        with contextlib.suppress(ConnectionError):  # it ended at once: its status tells
            stdin.write(line + b"\n")
            await stdin.drain()
        await asyncio.wait_for(_exited(process), timeout)
    except TimeoutError:
        late = True
    finally:
        if process.returncode is None:
            await asyncio.shield(_end(process))
    with contextlib.suppress(TimeoutError):  # a grandchild that survived may hold the pipes
        await asyncio.wait_for(asyncio.gather(told, output), _LAST_WORDS_SECONDS)
    stdin.close()
    done = output.result() if output.done() and not output.cancelled() else b""
    return Ended(status=process.returncode or 0, output=done, late=late)


async def _pass_on(stream: asyncio.StreamReader, on_output: Callable[[bytes], None]) -> None:
    while data := await stream.read(_READ_BYTES):
        on_output(data)


async def _exited(process: Process) -> None:
    """Wait for its exit; ``process.wait()`` waits for whoever else holds its pipes, too."""
    while process.returncode is None:
        await asyncio.sleep(_POLL_SECONDS)


async def _end(process: Process) -> None:
    """Tell a program to end; kill it and all that it started when it does not listen."""
    import psutil

    try:
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
    except (psutil.NoSuchProcess, ProcessLookupError):  # it ended just now
        started = []
    try:
        await asyncio.wait_for(_exited(process), _GRACE_SECONDS)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await _exited(process)
    for child in started:
        with contextlib.suppress(psutil.NoSuchProcess):  # never one whose number was given anew
            child.kill()
