"""A build that is killed or interrupted, and a person in its shell: with processes of their own."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from builder_subjects import Subject, contents
from builder_victim import victim_command, victim_environment
from runner_subjects import processes_with

_SECONDS = 60


def _wait_for(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_nothing_of_a_build_that_ends_early_lives_on(subject: Subject, number: int) -> None:
    mark = f"17.{os.getpid() % 1000:03}{number}"
    package = subject.script(f"echo one > tree/f; sleep {mark} & wait")
    job = subject.job(package)
    log = Path(job.log)
    victim = subprocess.Popen(
        victim_command(subject, job), env=victim_environment(subject), stderr=subprocess.PIPE
    )
    try:
        _wait_for(lambda: victim.poll() is not None or processes_with(mark), "it did not begin")
        assert victim.poll() is None, log.read_text()
        victim.send_signal(number)
        victim.communicate(timeout=_SECONDS)
    finally:
        victim.kill()
    if number == signal.SIGINT:
        assert victim.returncode == 130
        assert not processes_with(mark)

    again = subject.job(subject.script("echo two >> tree/f"))
    lines = contents(subject.builder.build(again))["f"]

    assert lines in ({"one\ntwo\n"} if number == signal.SIGINT else {"one\ntwo\n", "two\n"})
    _wait_for(lambda: not processes_with(mark), "a process of the killed build is still there")


def _converse(shell: subprocess.Popen[bytes], terminal: int) -> bytes:
    """Wait for the prompt, type, and give all that was shown until the shell's end."""
    said, typed = b"", False
    deadline = time.monotonic() + _SECONDS
    while shell.poll() is None and time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 4096)
        prompt = said.removesuffix(b"\x1b[6n").rstrip()  # busybox asks where the cursor is
        if not typed and prompt.endswith((b"#", b"$")):  # before, it would be thrown away
            typed = True
            keys = b'cat prepared; echo "$LAPSTRAKE_PACKAGE:$((6 * 7))"; touch here; exit 5\n'
            os.write(terminal, keys)
    return said


def test_a_shell_is_where_the_build_is(subject: Subject) -> None:
    job = subject.job(subject.script("true", prepare="echo ready > prepared"))
    ours, theirs = pty.openpty()
    shell = subprocess.Popen(
        victim_command(subject, job, "shell"), env=victim_environment(subject),
        stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    try:
        said = _converse(shell, ours)
    finally:
        shell.kill()
        shell.wait()
        for end in (ours, theirs):
            os.close(end)
    assert shell.returncode == 5, said
    assert b"ready" in said
    assert b"tiny:42" in said

    kept = subject.job(subject.script("test -f here && cp prepared tree", prepare=": other"))
    assert contents(subject.builder.build(kept)) == {"prepared": "ready\n"}


def test_a_shell_without_a_terminal_is_refused(subject: Subject) -> None:
    words = victim_command(subject, subject.job(subject.script("true")), "shell")
    done = subprocess.run(
        words, env=victim_environment(subject), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
