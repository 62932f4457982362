"""Kills while roots are made: the base OS, a branch's instance, the layer of dependencies."""

from __future__ import annotations

import shutil
import signal
import subprocess

import pytest

from lapstrake.build.record import BuildState
from trouble import Victim, control_groups

_SIGNALS = (signal.SIGTERM, signal.SIGKILL)
_NEEDY = '[depends]\nbuild = ["tree"]'  # one small package, with no dependencies of its own


def _stop(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    process.send_signal(number)
    assert process.stdout is not None
    said, _ = process.communicate(timeout=60)
    assert b"Traceback" not in said
    assert process.returncode == (128 + number if number == signal.SIGTERM else -number)


@pytest.mark.parametrize("number", _SIGNALS)
@pytest.mark.parametrize("mark", [">>> resolving", ">>> unpacking", ">>> configuring"])
def test_dependencies(victim: Victim, mark: str, number: signal.Signals) -> None:
    bundle = victim.bundle("needy", more=_NEEDY)
    process = victim.start_at(mark, "build", str(bundle), "stable")
    _stop(process, number)
    assert victim.settles() == []
    assert victim.last_state() is BuildState.INTERRUPTED
    if number == signal.SIGTERM:
        assert victim.half_made() == []
    done = victim.build(bundle)
    assert done.ok, done.stderr
    assert victim.half_made() == []
    assert control_groups(process.pid) == []
    _forget_dependencies(victim)


def _forget_dependencies(victim: Victim) -> None:
    """Have the next build resolve and install anew."""
    for answer in (victim.work_dir / ".builder/resolved").glob("*"):
        answer.unlink()
    done = victim.run("store", "gc", "--budget", "0")
    assert done.ok, done.stderr


@pytest.mark.parametrize("number", _SIGNALS)
@pytest.mark.parametrize("mark", [">>> refreshing", "Reading package lists"])
def test_refresh(victim: Victim, mark: str, number: signal.Signals) -> None:
    state = victim.work_dir / ".builder/branches/stable.json"
    before = state.read_bytes()
    file = victim.work_dir / "conf/source_lists/stable.sources"
    text = file.read_text()
    try:
        file.write_text(f"{text}\n# edited\n")
        process = victim.start_at(mark, "branch", "refresh", "stable")
        _stop(process, number)
        assert victim.settles() == []
        assert state.read_bytes() == before
        if number == signal.SIGTERM:
            assert victim.half_made() == []
    finally:
        file.write_text(text)
    done = victim.build(victim.bundle("tiny"))
    assert done.ok, done.stderr
    assert "refreshing" not in done.stderr
    assert victim.half_made() == []


@pytest.mark.parametrize("number", _SIGNALS)
@pytest.mark.parametrize("mark", [">>> loading", "I: installing"])
def test_base(victim: Victim, mark: str, number: signal.Signals) -> None:
    """The old base OS and all that stands on it serve on."""
    state = victim.work_dir / ".builder/base.json"
    before = state.read_bytes()
    temporary = victim.work_dir / "temporary"
    temporary.mkdir(exist_ok=True)
    if victim.user:
        shutil.chown(temporary, victim.user, victim.user)
    words = ("--set", "base.variant=minbase", "load-baseos")
    process = victim.start_at(mark, *words, TMPDIR=str(temporary))
    _stop(process, number)
    assert victim.settles() == []
    assert state.read_bytes() == before
    if number == signal.SIGTERM:
        assert victim.half_made() == []
    done = victim.build(victim.bundle("tiny"))
    assert done.ok, done.stderr
    assert victim.half_made() == []
    # What a killed one left in the system's temporary folder, the next one of its kind removes.
    _stop(victim.start_at("I: ", *words, TMPDIR=str(temporary)), signal.SIGTERM)
    assert list(temporary.iterdir()) == []
