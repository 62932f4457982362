"""What systemd is told of a service with ``Type=notify`` (sd_notify(3), sd_watchdog_enabled(3))."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

_SOCKET, _WATCHDOG = "NOTIFY_SOCKET", "WATCHDOG_USEC"
_OURS = frozenset({_SOCKET, _WATCHDOG, "WATCHDOG_PID"})
_MICROSECONDS = 1_000_000
_OFTENER = 4
"""We say that we live so many times before somebody would wonder."""


def tell_systemd(*words: str) -> None:
    """Tell the service manager how we stand; nothing happens where nobody listens.

    Args:
        words: assignments, such as ``READY=1``, ``STOPPING=1`` or ``STATUS=building 3``.
    """
    address = os.environ.get(_SOCKET, "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # an abstract name: unix(7)
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto("\n".join(words).encode(), address)


def ask_for_time(seconds: float) -> str:
    """The word that lets a start or a stop take so long, whatever the unit says.

    Args:
        seconds: from now on.
    """
    return f"EXTEND_TIMEOUT_USEC={int(seconds * _MICROSECONDS)}"


def tell_alive() -> None:
    """Tell the service manager's watchdog (``WatchdogSec=``) that we are not stuck."""
    if _WATCHDOG in os.environ:
        tell_systemd("WATCHDOG=1")


@asynccontextmanager
async def alive() -> AsyncIterator[None]:
    """Tell the watchdog that this event loop turns, until the block ends."""
    microseconds = os.environ.get(_WATCHDOG, "")
    if not microseconds.isdigit() or not int(microseconds):
        yield
        return
    telling = asyncio.create_task(_tell(int(microseconds) / _MICROSECONDS / _OFTENER))
    try:
        yield
    finally:
        telling.cancel()


async def _tell(seconds: float) -> None:
    while True:
        tell_alive()
        await asyncio.sleep(seconds)


def without_notices(variables: Mapping[str, str]) -> dict[str, str]:
    """An environment for a child, which must not speak for us.

    Args:
        variables: ours.
    """
    return {name: text for name, text in variables.items() if name not in _OURS}
