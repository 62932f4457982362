"""Whose container it is: a label that tells whether the process that made it still lives."""

from __future__ import annotations

import functools
import os
from pathlib import Path

OWNER = "lapstrake.owner"
"""The label's name; the value is ``BOOT/PID-NAMESPACE/PID/START`` (proc(5))."""


@functools.cache
def _machine() -> str:
    """This boot of this machine, and our PID namespace: only there our numbers mean something."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}/{Path('/proc/self/ns/pid').stat().st_ino}"


def own_name() -> str:
    """What our containers are labelled with."""
    return f"{_machine()}/{os.getpid()}/{_start(os.getpid())}"


def is_dead(owner: str) -> bool:
    """Whether a label's process is known to have ended; a foreign machine's never is."""
    machine, _, rest = owner.rpartition("/")
    machine, _, number = machine.rpartition("/")
    return machine == _machine() and number.isdigit() and _start(int(number)) != rest


def _start(number: int) -> str:
    """When a process was started, in ticks since boot; empty when there is none."""
    try:
        facts = Path(f"/proc/{number}/stat").read_bytes()
    except OSError:
        return ""
    return facts.rpartition(b")")[2].split()[19].decode()
