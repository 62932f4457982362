"""What systemd is told of a service with ``Type=notify`` (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from contextlib import suppress


def tell_systemd(*words: str) -> None:
    """Tell the service manager how we stand; nothing happens where nobody listens.

    Args:
        words: assignments, such as ``READY=1``, ``STOPPING=1`` or ``STATUS=building 3``.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):  # an abstract name: unix(7)
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto("\n".join(words).encode(), address)
