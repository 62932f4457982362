"""Builds work within what the units leave to the services."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from lapstrake.farm.operations.units import SERVE, unit_texts
from lapstrake.host.process import find_program
from roots import cli_command, cli_environment

_BUNDLE = """
[package]
name = "hard"
version = "1"
description = "built in a hard place"
maintainer = "Ada <ada@example.org>"

[steps]
install = 'mkdir -p "$DESTDIR/usr/share/hard" && touch "$DESTDIR/usr/share/hard/file"'
"""
_LIKE_SYSTEMD = """
mount --make-rslave /
for folder in /usr /etc /boot; do
    mount --bind $folder $folder && mount -o remount,bind,ro $folder
done
mount -t tmpfs -o mode=0 none /usr/lib/modules 2>/dev/null
exec setpriv --bounding-set="$DROPPED" "$@"
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.skipif(find_program("setpriv") is None, reason="needs setpriv (util-linux)")
@pytest.mark.parametrize("runner", ["nspawn", "userns"])
def test_a_build_works_as_hardened_as_the_service(
    runner: str, work_dir: Path, tmp_path: Path
) -> None:
    text = unit_texts()[SERVE]
    assert "ProtectSystem=full" in text
    dropped = re.search(r"^CapabilityBoundingSet=~(.+)$", text, re.MULTILINE)
    assert dropped is not None
    names = ",".join(f"-{name.removeprefix('CAP_').lower()}" for name in dropped[1].split())
    bundle = tmp_path / "hard"
    bundle.mkdir()
    (bundle / "lapstrake.toml").write_text(_BUNDLE)
    build = cli_command("build", "--no-refresh", "--runner", runner, str(bundle), "stable")
    done = subprocess.run(
        ["unshare", "--mount", "bash", "-c", _LIKE_SYSTEMD, "-", *build],
        env={**cli_environment(work_dir), "DROPPED": names},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [file.name for file in (work_dir / "output/stable").glob("hard_*.deb")]
