"""A command on our terminal: keys, output, the window's size and its changes."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import struct
import termios
import time
from pathlib import Path

import pytest

from lapstrake.runner.rim import STARTED
from runner_subjects import Subject
from runner_victim import victim_command, victim_environment

SCRIPT = """
until [ "$(stty size)" = "40 100" ]; do sleep 0.1; done; echo first
until [ "$(stty size)" = "50 120" ]; do sleep 0.1; done; echo second
test -t 0 && test -t 1 && test -t 2 && echo terminals
read word; echo "got <$word>"; exit 7
"""


def test_interact(subject: Subject) -> None:
    command = victim_command(subject, "sh", "-c", SCRIPT, interact=True)
    environment = victim_environment()
    child, master = pty.fork()
    if child == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 40, 100, 0, 0))
            os.execve(command[0], command, environment)
        finally:
            os._exit(99)
    try:
        wait_for(master, b"first")
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", 50, 120, 0, 0))
        wait_for(master, b"terminals")
        os.write(master, b"a word\r")
        wait_for(master, b"got <a word>")
    finally:
        _, status = os.waitpid(child, 0)
        os.close(master)
    assert os.waitstatus_to_exitcode(status) == 7
    workspace = Path(json.loads(command[-1])["workspace"])
    assert not (workspace / "upper" / STARTED).exists()  # it would become part of a layer


def wait_for(terminal: int, word: bytes) -> None:
    """Read until a word comes."""
    seen = b""
    deadline = time.monotonic() + 30
    while word not in seen:
        if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
            pytest.fail(f"{word!r} does not come: {seen!r}")
        try:
            seen += os.read(terminal, 4096)
        except OSError:
            pytest.fail(f"{word!r} did not come: {seen!r}")
