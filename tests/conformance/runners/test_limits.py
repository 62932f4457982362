"""What a command may use, and what is left of it afterwards: nothing."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import pytest

from lapstrake.host import supervise
from lapstrake.host.cgroup import create
from lapstrake.runner.base import Ending, Limits
from runner_subjects import BUILDROOT, Subject, processes_with, said, sh

MIB = 1 << 20


def wait_until_gone(word: str) -> list[int]:
    """The processes with a word, once they had time to be reaped."""
    for _ in range(200):
        if not processes_with(word):
            return []
        time.sleep(0.05)
    return processes_with(word)


def unique_sleep() -> str:
    """A number of seconds that no other sleep on this host has."""
    return f"{secrets.randbelow(10**6) + 10**6}.{secrets.randbelow(10**9)}"


def test_time_is_limited(subject: Subject) -> None:
    marker = unique_sleep()
    with subject.session() as session:
        script = 'echo begun; (setsid sleep "$1" &) ; sleep "$1"'
        outcome, text = sh(session, script, marker, limits=Limits(seconds=1.5))
        assert outcome.ending is Ending.TIMED_OUT
        assert not outcome.ok
        assert text == "begun\n"
        assert wait_until_gone(marker) == []
        assert said(session, "echo the session goes on") == "the session goes on\n"


def test_memory_is_limited_and_named(subject: Subject) -> None:
    # It goes on after the kill, so that also a sampling supervisor sees what happened.
    script = "echo begun; tail /dev/zero; sleep 1; exit 1"
    with subject.session() as session:
        outcome, text = sh(session, script, limits=Limits(memory=64 * MIB, seconds=60))
    assert outcome.ending is Ending.OUT_OF_MEMORY
    assert text.startswith("begun\n")


def test_disk_is_limited(subject: Subject) -> None:
    script = "i=0; while [ $i -lt 200 ]; do head -c 4194304 /dev/urandom > f$i; i=$((i+1)); done"
    with subject.session() as session:
        outcome, _ = sh(session, script, limits=Limits(disk=40 * MIB, seconds=120))
    assert outcome.ending is Ending.OUT_OF_DISK
    assert outcome.usage.peak_disk > 40 * MIB


def test_processes_are_limited(subject: Subject) -> None:
    if subject.name in {"userns-rootless", "local"} and _no_group():
        pytest.skip("control groups cannot be made here")
    marker = unique_sleep()
    script = 'i=0; while [ $i -lt 60 ]; do sleep "$1" & i=$((i+1)); done; sleep 1; echo survived'
    with subject.session() as session:
        outcome, text = sh(session, script, marker, limits=Limits(processes=20, seconds=30))
        assert "survived" not in text or "fork" in text
        assert outcome.ending is not Ending.OUT_OF_MEMORY
        assert wait_until_gone(marker) == []


def test_a_fork_bomb_ends_with_its_time(subject: Subject) -> None:
    if subject.name in {"userns-rootless", "local"} and _no_group():
        pytest.skip("control groups cannot be made here")
    script = "bomb() { bomb | bomb & }; bomb; sleep 60"
    with subject.session() as session:
        limits = Limits(processes=64, seconds=2, memory=256 * MIB)
        outcome, _ = sh(session, script, limits=limits)
        assert not outcome.ok or outcome.ending is not Ending.EXITED
        assert said(session, "echo alive") == "alive\n"


def test_short_commands_have_a_peak_of_the_disk(subject: Subject) -> None:
    with subject.session() as session:
        outcome, _ = sh(session, "head -c 3000000 /dev/urandom > file", limits=Limits())
    assert 3_000_000 <= outcome.usage.peak_disk < 30_000_000


def test_use_is_measured(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervise, "SAMPLE_SECONDS", 0.3)
    script = """
    head -c 8000000 /dev/urandom > file
    end=$(($(date +%s) + 3)); while [ "$(date +%s)" -lt $end ]; do :; done
    """
    with subject.session() as session:
        outcome, _ = sh(session, script, limits=Limits(memory=512 * MIB))
    usage = outcome.usage
    assert usage.wall_seconds >= 2
    assert 0.1 < usage.cpu_seconds < usage.wall_seconds * 2.5
    assert MIB // 4 < usage.peak_memory < 512 * MIB
    assert len(usage.samples) >= 2
    assert max(sample.processes for sample in usage.samples) >= 1
    assert max(sample.memory for sample in usage.samples) > 0
    assert max(sample.cpu_seconds for sample in usage.samples) > 0
    assert usage.samples[-1].disk >= 8_000_000
    moments = [sample.seconds for sample in usage.samples]
    assert moments == sorted(moments)


@pytest.mark.parametrize(
    "start",
    [
        '(setsid sleep "$1" >/dev/null 2>&1 &)',
        '(setsid sh -c \'trap "" TERM HUP; (sleep "$0" & sleep "$0")\' "$1" &)',
        'nohup sleep "$1" & sleep "$1" &',
    ],
)
def test_daemons_die_with_the_command(subject: Subject, start: str) -> None:
    marker = unique_sleep()
    with subject.session() as session:
        begun = time.monotonic()
        outcome, _ = sh(session, f"{start}\nsleep 0.2; echo done", marker)
        assert outcome.ok
        assert time.monotonic() - begun < 60  # nobody waits for the daemon
        assert wait_until_gone(marker) == []


def test_cpus_are_limited(subject: Subject) -> None:
    if subject.name in {"userns-rootless", "local"} and _no_group():
        pytest.skip("control groups cannot be made here")
    script = "end=$(($(date +%s) + 3)); while [ $(date +%s) -lt $end ]; do :; done"
    with subject.session() as session:
        outcome, _ = sh(session, script, limits=Limits(cpus=0.2))
    assert outcome.usage.cpu_seconds < outcome.usage.wall_seconds * 0.5


def test_no_control_group_is_left(subject: Subject) -> None:
    with subject.session() as session:
        said(session, "true", limits=Limits(memory=256 * MIB), cwd=BUILDROOT)
    own = f"lapstrake.{os.getpid()}."
    left = [path for path in Path("/sys/fs/cgroup").glob("**/lapstrake.*") if own in path.name]
    assert left == []


def _no_group() -> bool:
    """Whether this process may not make control groups."""
    group = create(Limits())
    if group is None:
        return True
    group.remove()
    return False
