"""A sandbox's way to the network: slirp4netns, which forwards its packets as connections of ours.

The sandbox has a network namespace of its own. What listens on this host's loopback alone (a
server without tokens, a database) is not in it, nor are the host's abstract sockets; the host's
other addresses are reached as from any process here. The program is confined as well: what builds
send it is hostile.
"""

from __future__ import annotations

import os

from lapstrake.errors import RunnerError
from lapstrake.host.process import find_program

PROGRAM = "slirp4netns"
RESOLVER = "10.0.2.3"
"""Where it answers for the host's name servers, see slirp4netns(1)."""
_DEVICE = "/dev/net/tun"
_OTHERWISE = "or set runner.host_network for bundles that you trust."
_LARGEST_PACKET = 65520


def lack() -> tuple[str, str] | None:
    """What this host lacks for it, and the remedy; ``None`` for nothing."""
    if find_program(PROGRAM) is None:
        return f"{PROGRAM} is not installed", f"Install it (apt install {PROGRAM}), {_OTHERWISE}"
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return f"{_DEVICE} cannot be opened", f"As root: chmod 0666 {_DEVICE}, {_OTHERWISE}"
    return None


def words() -> tuple[str, ...]:
    """The program and its options; a process, an interface and descriptors follow (`entry`).

    Raises:
        RunnerError: this host lacks something for it.
    """
    program, lacking = find_program(PROGRAM), lack()
    if program is None or lacking is not None:
        what, remedy = lacking or ("", "")
        raise RunnerError(f"the build may use the network, and {what}", resolution=remedy)
    return (
        str(program),
        "--configure",
        f"--mtu={_LARGEST_PACKET}",
        "--disable-host-loopback",
        "--enable-sandbox",
        "--enable-seccomp",
    )
