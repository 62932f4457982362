"""A sandbox's way to the network: slirp4netns, which forwards its packets as connections of ours.

The sandbox has a network namespace of its own. What listens on this host's loopback alone (a
server without tokens, a database) is not in it, nor are the host's abstract sockets; the host's
other addresses are reached as from any process here. The program is confined as well: what builds
send it is hostile.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from lapstrake.errors import RunnerError
from lapstrake.host.process import find_program, require_program

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
    """The program and its options, for `Uplink`.

    Raises:
        RunnerError: this host lacks something for it.
    """
    program, lacking = find_program(PROGRAM), lack()
    if program is None or lacking is not None:
        what, remedy = lacking or ("", "")
        raise RunnerError(f"the build may use the network, and {what}", resolution=remedy)
    # Its sandbox lets go of the host's tree, and with it of mounts that are shared: it gets a copy.
    # Others than root get one with their user namespace.
    apart = require_program("unshare", package="util-linux", error=RunnerError)
    return (
        *((str(apart), "--mount") if os.geteuid() == 0 else ()),
        str(program),
        "--configure",
        f"--mtu={_LARGEST_PACKET}",
        "--disable-host-loopback",
        "--enable-sandbox",
        "--enable-seccomp",
    )


class Uplink:
    """The program that gives one sandbox its network, and ends with it.

    Args:
        words: see `words`.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = words
        self._go, go = os.pipe()
        ready, self._ready = os.pipe()
        self._end, end = os.pipe()
        self.theirs = (go, ready, end)
        """For the sandbox: closed when its namespaces are there; read until it has a network; and
        open as long as it lives."""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, process: int) -> None:
        """Start it for a process, whose namespaces it waits for; nobody hears what it says."""
        options = (f"--ready-fd={self._ready}", f"--exit-fd={self._end}", str(process), "tap0")
        ours = (self._go, self._ready, self._end)
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", 'read -r _; exec "$@" </dev/null', "sh", *self._words, *options],
            stdin=self._go,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            pass_fds=ours[1:],
        )
        for descriptor in ours:
            os.close(descriptor)

    def end(self) -> None:
        """It has ended, or is ended; the sandbox is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
