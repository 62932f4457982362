"""Ports for servers that cannot be told to take any free one and say which."""

from __future__ import annotations

import random
import socket

_BELOW_THE_KERNELS_OWN = range(20_000, 32_000)


def free_port(address: str = "127.0.0.1") -> int:
    """A port where nobody listens now.

    The kernel gives none of these to those who ask for any port, nor to clients: a server that
    starts a second later, or a second time, still finds it free.
    """
    while True:
        port = random.choice(_BELOW_THE_KERNELS_OWN)
        with socket.socket() as found:
            try:
                found.bind((address, port))
            except OSError:  # somebody listens there
                continue
            return port
