"""The runner nspawn in control groups of version 2, whatever version this host uses.

Another process mounts that version where only it sees it. On a host of version 1 it has nearly no
controllers, so no limits either: what is tested is how groups are made and what nspawn does there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lapstrake.runner.choose import load
from roots import SOURCE

_MOUNT = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
_BEGIN = """
import os
import sys
from pathlib import Path
from lapstrake.host import cgroup
from lapstrake.host.usage import Limits
controllers = Path("/sys/fs/cgroup/cgroup.controllers").read_text().split()
if "memory" not in controllers:
    cgroup._WANTED = ()
"""
_CREATE = """
group = cgroup.create(Limits(cpus=0.5))
print("made" if group else "none", group.unified if group else "")
group.remove()
"""
_RUN = """
from lapstrake.runner.base import Command
from lapstrake.runner.choose import load
with load("nspawn").open((Path(sys.argv[1]),), Path(sys.argv[2])) as session:
    argv = ("sh", "-c", "mkdir /sys/fs/cgroup/mine && echo ESCAPED; echo HELLO")
    done = session.run(Command(argv=argv), on_output=lambda data: print(data.decode(), end=""))
print(done.status, list(map(str, Path("/sys/fs/cgroup").glob(f"{cgroup._PREFIX}{os.getpid()}.*"))))
"""


def _with_version_2(script: str, *words: Path) -> str:
    """Run a script where version 2 is mounted; gives what it printed."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    python = [sys.executable, "-c", _BEGIN + script, *map(str, words)]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", _MOUNT, "sh", *python],
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "sh: " not in done.stderr and "mount: " in done.stderr and not done.stdout:
        pytest.skip(f"no control groups of version 2: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nspawn_starts(small_root: Path, tmp_path: Path) -> None:
    lacks = load("nspawn").probe()
    if lacks:
        pytest.skip(lacks[0].what)
    said = _with_version_2(_RUN, small_root, tmp_path)
    assert said.split("\n")[-3:] == ["HELLO", "0 []", ""], said
    assert "ESCAPED" not in said


def test_a_missing_controller_for_processors_costs_no_other_limit() -> None:
    assert _with_version_2(_CREATE) == "made True\n"
