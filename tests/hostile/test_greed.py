"""A build that takes what it can: memory, disk, processes, time, room in the log."""

from __future__ import annotations

import os

import pytest

from lapstrake.errors import CompileError, LimitError
from trouble import Victim

_MEMORY = "perl -e '$x .= \"x\" x (1 << 24) while 1'"
_BOMB = ":(){ :|:& };:; sleep 30"
_FORKS = (
    "perl -e 'for (1 .. 300) { defined(my $p = fork) or sleep 2, exit 1; $p or sleep 30, exit }'"
)


def _limited(victim: Victim, *settings: str, build: str) -> str:
    """Run into a limit; gives what was said."""
    done = victim.build(victim.bundle("greedy", build=build), settings=settings)
    assert done.status == LimitError.exit_code, done.stderr
    assert "greedy" not in "".join(victim.processes())
    assert victim.half_made() == []
    assert victim.leftovers() == []
    assert victim.last_record()["exit_code"] == LimitError.exit_code
    return done.stderr


def test_memory(victim: Victim) -> None:
    said = _limited(victim, "limits.memory=100MiB", build=_MEMORY)
    assert "out of memory (limit 100 MiB)" in said


def test_time_also_for_what_ignores_signals(victim: Victim) -> None:
    stubborn = "trap '' TERM INT HUP QUIT; while :; do sleep 100; done"
    said = _limited(victim, "limits.time=2s", build=f"({stubborn}) & {stubborn}")
    assert "timed out (limit 2 s)" in said


def test_processes(victim: Victim) -> None:
    said = _limited(victim, "limits.processes=60", build=_FORKS)
    assert "out of processes (limit 60)" in said


def test_a_fork_bomb(victim: Victim) -> None:
    _limited(victim, "limits.processes=100", "limits.time=4s", build=_BOMB)


@pytest.mark.parametrize("folder", ["/tmp", "/var/tmp", "/buildroot/build", "/home"])
def test_disk(victim: Victim, folder: str) -> None:
    fill = f"mkdir -p {folder}/x; head -c 80M /dev/urandom > {folder}/x/big; sleep 30"
    said = _limited(victim, "limits.disk=50MiB", build=fill)
    assert "out of disk (limit 50 MiB)" in said


def test_disk_that_is_hidden(victim: Victim) -> None:
    """Folders that only another user of the root may enter are counted too."""
    build = (
        "mkdir -m 700 /tmp/mine; chown 1000 /tmp/mine; head -c 80M /dev/urandom > /tmp/mine/big;"
        "chmod 000 /tmp/mine; sleep 30"
    )
    assert "out of disk" in _limited(victim, "limits.disk=50MiB", build=build)


@pytest.mark.parametrize("folder", ["/dev/shm", "/run"])
def test_files_in_memory_are_bounded(victim: Victim, folder: str) -> None:
    """By the memory limit, or by their own size where the kernel keeps none for us."""
    build = f"test -d {folder} && head -c 2G /dev/zero > {folder}/big"
    done = victim.build(victim.bundle("greedy", build=build), settings=("limits.memory=500MiB",))
    assert done.status in {LimitError.exit_code, CompileError.exit_code}, done.stderr
    assert victim.leftovers() == []


def test_daemons_die_with_the_build(victim: Victim) -> None:
    daemon = (
        'perl -MPOSIX -e \'exit if fork; setsid; exit if fork; $SIG{TERM} = $SIG{HUP} = "IGNORE";'
        ' $0 = "left-behind"; sleep 300\' '
    )
    build = f"{daemon}; {daemon} </dev/null >/dev/null 2>&1; setsid sleep 300 & nohup sleep 300 &"
    done = victim.build(victim.bundle("daemon", build=build))
    assert done.ok, done.stderr
    assert victim.leftovers() == []
    assert victim.half_made() == []


def test_a_flood_of_output_is_cut(victim: Victim) -> None:
    build = "yes 'all work and no play' | head -c 200M || :; echo the last line; exit 1"
    done = victim.run("-q", "build", str(victim.bundle("chatty", build=build)), "stable")
    assert done.status == CompileError.exit_code
    assert "the last line" in done.stderr
    log = victim.last_log()
    assert len(log) < 80 << 20
    assert "the log is cut here" in log
    assert log.splitlines()[-1].endswith("failed with status 1")
    assert "the last line" in log[-2000:]


def test_one_endless_line(victim: Victim) -> None:
    build = "head -c 30M /dev/zero | tr '\\0' x; exit 1"
    done = victim.run("-q", "build", str(victim.bundle("chatty", build=build)), "stable")
    assert done.status == CompileError.exit_code
    assert len(done.stderr) < 20_000


def test_output_does_not_steer_the_terminal(victim: Victim) -> None:
    """Neither output, nor headlines of the build's own, nor an error's details."""
    escapes = r"printf '\033]0;owned\007\033[2J\r\b\x9b2J\xc2\x9b31m\n>>> \033[31mred\033[0m\n'"
    done = victim.build(victim.bundle("loud", build=f"{escapes}; {escapes}; exit 1"))
    assert done.status == CompileError.exit_code
    assert not set("\033\007\r\b\x9b") & set(done.stderr + done.stdout)
    assert "\\x1b" in done.stderr
    shown = victim.run("history")
    assert "\033" not in shown.stdout


def test_binary_output(victim: Victim) -> None:
    done = victim.build(victim.bundle("loud", build="head -c 1M /dev/urandom; exit 1"))
    assert done.status == CompileError.exit_code
    assert "Traceback" not in done.stderr
    assert os.linesep in done.stderr
