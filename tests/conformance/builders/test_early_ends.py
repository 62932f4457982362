"""A build that is killed or interrupted, and a person in its shell: with processes of their own."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable

from builder_subjects import Subject, contents
from builder_victim import victim_command, victim_environment
from runner_subjects import processes_with

_SECONDS = 60


def _wait_for(happened: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + _SECONDS
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def _end_early(subject: Subject, mark: str, number: int) -> int:
    """Begin a build in a process of its own, and send it a signal; gives how it ended."""
    job = subject.job(subject.script(f"echo one >> tree/f; sleep {mark} & wait"))
    victim = subprocess.Popen(
        victim_command(subject, job), env=victim_environment(subject), stderr=subprocess.PIPE
    )
    try:
        _wait_for(lambda: victim.poll() is not None or processes_with(mark), "it did not begin")
        assert victim.poll() is None, job.log.read_text()
        victim.send_signal(number)
        victim.communicate(timeout=_SECONDS)
    finally:
        victim.kill()
    return victim.returncode


def test_nothing_of_a_build_that_ends_early_lives_on(subject: Subject) -> None:
    marks = [f"{number}.{os.getpid() % 1000:03}" for number in (17, 18)]
    assert _end_early(subject, marks[0], signal.SIGINT) == 130
    assert not processes_with(marks[0])
    assert _end_early(subject, marks[1], signal.SIGKILL) == -signal.SIGKILL

    lines = contents(subject.builder.build(subject.job(subject.script("echo two >> tree/f"))))["f"]

    # What was written before the interruption is kept; before the kill, where that is possible.
    assert lines in {"one\ntwo\n", "one\none\ntwo\n"}
    _wait_for(lambda: not processes_with(marks[1]), "a process of the killed build is still there")


_KEYS = b"""cat prepared; echo "$LAPSTRAKE_PACKAGE:$((6 * 7))"; mkdir tree; touch here; exit 5
"""


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
            os.write(terminal, _KEYS)
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

    kept = subject.job(subject.script("exit 9", archive="cp prepared here tree"))
    assert contents(subject.builder.archive(kept)) == {"prepared": "ready\n", "here": ""}


def test_a_shell_without_a_terminal_is_refused(subject: Subject) -> None:
    words = victim_command(subject, subject.job(subject.script("true")), "shell")
    done = subprocess.run(
        words, env=victim_environment(subject), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "needs a terminal" in done.stderr
