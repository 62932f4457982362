"""Whatever ends Lapstrake ends all that it started."""

from __future__ import annotations

import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runner_subjects import Subject, processes_with, said
from runner_victim import victim_command, victim_environment


@contextmanager
def victim(subject: Subject, script: str, marker: str) -> Iterator[subprocess.Popen[bytes]]:
    """Such a process once its command has begun."""
    with subprocess.Popen(
        victim_command(subject, "sh", "-c", script, "sh", marker),
        env=victim_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line == b"begun\n", line + process.stdout.read()
        yield process


SCRIPT = '(setsid sleep "$1" >/dev/null 2>&1 &); sleep 0.3; echo begun; sleep "$1"'


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_lapstrake_kills_everything(subject: Subject, number: signal.Signals) -> None:
    marker = f"{secrets.randbelow(10**6) + 10**6}.{secrets.randbelow(10**9)}"
    with victim(subject, SCRIPT, marker) as process:
        process.send_signal(number)
        status = process.wait(30)
    if number is signal.SIGKILL:
        assert status == -signal.SIGKILL
    else:
        assert status == 128 + number
    deadline = time.monotonic() + 20
    while processes_with(marker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(marker) == []
    assert str(subject.folder) not in Path("/proc/self/mountinfo").read_text()
    with subject.session() as session:  # whoever comes next finds a clean house
        assert said(session, "echo next") == "next\n"
