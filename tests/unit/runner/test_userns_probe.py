"""Which switches of a host really keep the runner userns from working."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lapstrake.errors import RunnerError
from lapstrake.host import idmap
from lapstrake.runner import userns
from roots import SOURCE


def test_apparmors_switch_does_not_count_where_mounts_work(tmp_path: Path) -> None:
    """Ubuntu has it on, and lets programs pass that have a profile for it."""
    try:
        idmap.current_map()
    except RunnerError as refused:
        pytest.skip(refused.brief)
    if not userns._may_mount():
        pytest.skip("no mounts in user namespaces here")
    setting = tmp_path / "setting"
    setting.write_text("1\n")
    assert userns._profile_lacks(str(setting)) == []


def test_where_no_mount_works_it_blocks_and_the_remedy_names_the_profile(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to switch user namespaces off for a process")
    setting = tmp_path / "setting"
    setting.write_text("1\n")
    code = (
        "import sys; from lapstrake.runner import userns\n"
        "for lack in userns._profile_lacks(sys.argv[1]): print(lack.blocks, lack.remedy)"
    )
    script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    words = ("unshare", "-Ur", "sh", "-c", script, "sh", sys.executable, "-c", code, str(setting))
    env = {**os.environ, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("True As root, load an AppArmor profile for /"), done
    assert "userns," in done.stdout
