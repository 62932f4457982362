"""Builds that are ended by force, at every step and at any moment; and the run after that."""

from __future__ import annotations

import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.build.record import BuildState
from trouble import Victim, control_groups

_HEADLINES = ("building", "prepare", "configure", "build:", "install", "pack")
_THOROUGH = ("terminated", "killed")
_SLOW = "(setsid sleep 61 &); sleep 0.2"
_INSTALL = f'{_SLOW}; mkdir -p "$DESTDIR/etc"; date +%N > "$DESTDIR/etc/now"'


def _slow_bundle(victim: Victim) -> Path:
    """Every step lasts a while and leaves a daemon behind."""
    bundle = victim.bundle("slow", build=_SLOW, install=_INSTALL)
    file = bundle / "lapstrake.toml"
    more = f"prepare = '''\n{_SLOW}'''\nconfigure = '''\n{_SLOW}'''\n"
    file.write_text(file.read_text().replace("[steps]\n", f"[steps]\n{more}"))
    return bundle


def _one(number: signal.Signals) -> Callable[[subprocess.Popen[bytes]], None]:
    return lambda process: process.send_signal(number)


def _all(number: signal.Signals) -> Callable[[subprocess.Popen[bytes]], None]:
    return lambda process: os.killpg(process.pid, number)


def _twice(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    time.sleep(0.02)
    process.send_signal(signal.SIGHUP)
    process.terminate()


def _impatient(process: subprocess.Popen[bytes]) -> None:
    for _ in range(5):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.01)


_ENDS: dict[str, tuple[Callable[[subprocess.Popen[bytes]], None], int]] = {
    "terminated": (_one(signal.SIGTERM), 143),
    "hung-up": (_one(signal.SIGHUP), 129),
    "interrupted": (_all(signal.SIGINT), 130),
    "all-terminated": (_all(signal.SIGTERM), 143),
    "twice": (_twice, 143),
    "impatient": (_impatient, 130),
    "killed": (_one(signal.SIGKILL), -signal.SIGKILL),
    "all-killed": (_all(signal.SIGKILL), -signal.SIGKILL),
}


@pytest.mark.parametrize("end", _ENDS)
def test_ended_at_every_headline(victim: Victim, end: str) -> None:
    act, status = _ENDS[end]
    bundle = _slow_bundle(victim)
    gone = []
    for headline in _HEADLINES if end in _THOROUGH else _HEADLINES[::3]:
        process = victim.start_at(f">>> {headline}", "build", str(bundle), "stable")
        act(process)
        assert process.wait(30) == status, headline
        assert process.stdout is not None
        said = process.stdout.read().decode()
        process.stdout.close()
        assert "Traceback" not in said
        assert victim.settles() == [], headline
        assert victim.last_state() is BuildState.INTERRUPTED, headline
        if status > 0:
            assert victim.half_made() == [], headline
            assert "error: interrupted" in said
        gone.append(process.pid)
    done = victim.build(bundle)
    assert done.ok, done.stderr
    assert [group for process in gone for group in control_groups(process)] == []
    assert victim.half_made() == []
    assert victim.repository().verify() == ()


def test_killed_at_any_moment(victim: Victim) -> None:
    bundle = victim.bundle("quick", install=_INSTALL.replace(_SLOW, ":"))
    moments = random.Random(4)
    before = victim.repository().packages()
    for _ in range(10):
        process = victim.start("build", str(bundle), "stable")
        time.sleep(moments.uniform(0.05, 1.2))
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        assert victim.settles() == []
        # A file that lies there before its index names it is no harm: the next one puts it right.
        wrong = victim.repository().verify() if victim.output.exists() else ()
        assert [line for line in wrong if not line.endswith("is not in the index")] == []
    assert len(victim.repository().packages()) - len(before) in {0, 1}
    done = victim.build(bundle)
    assert done.ok, done.stderr
    assert victim.half_made() == []
    assert victim.agents() == []
    assert victim.repository().verify() == ()


def test_only_the_supervisor_killed(victim: Victim) -> None:
    bundle = victim.bundle("slow", build="(setsid sleep 60 &); sleep 30")
    process = victim.start_at(">>> build:", "build", str(bundle), "stable")
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid), "-f", "entry.py"], capture_output=True, text=True
    )
    os.kill(int(children.stdout.split()[0]), signal.SIGKILL)
    out, _ = process.communicate(timeout=30)
    assert process.returncode in range(11, 18), out.decode()
    assert "Traceback" not in out.decode()
    assert "137" in out.decode()
    assert victim.settles() == []
    assert victim.half_made() == []
    assert victim.last_state() is BuildState.FAILED


def test_the_terminal_goes_away(victim: Victim) -> None:
    bundle = victim.bundle("slow", build="sleep 30")
    ours, theirs = pty.openpty()
    process = victim.start("build", str(bundle), "stable", terminal=theirs)
    os.close(theirs)
    shown = b""
    while b"build: build" not in shown:
        shown += os.read(ours, 1000)
    os.close(ours)
    assert process.wait(30) == 128 + signal.SIGHUP
    assert victim.settles() == []
    assert victim.half_made() == []
    assert victim.last_state() is BuildState.INTERRUPTED
