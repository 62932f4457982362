"""update-baseos: a new base, stale branches; killed in the middle, the old one holds."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from roots import cli_command, cli_environment, run_cli


def stable(work_dir: Path) -> dict[str, Any]:
    done = run_cli("branch", "list", "--json", work_dir=work_dir)
    assert done.ok, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows[0]


@pytest.mark.slow
def test_update_makes_branches_stale_and_survives_kills(work_dir: Path) -> None:
    state = work_dir / ".builder/base.json"
    before = state.read_bytes()
    layers = {path.name for path in (work_dir / ".builder/store/layers").iterdir()}
    chance = random.Random(7)
    for _ in range(3):
        with subprocess.Popen(
            cli_command("update-baseos"),
            env=cli_environment(work_dir), stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            for line in process.stderr:
                if "loading the base OS" in line:
                    break
            time.sleep(chance.uniform(0, 1.5))
            process.send_signal(signal.SIGKILL)
        assert state.read_bytes() == before
        assert {path.name for path in (work_dir / ".builder/store/layers").iterdir()} == layers
        assert stable(work_dir)["fresh"]
    done = run_cli("update-baseos", work_dir=work_dir)
    assert done.ok, done.stderr
    assert ", updated" in done.stderr
    assert state.read_bytes() != before
    for name in ("unfinished", "workspaces"):
        assert list((work_dir / ".builder/store" / name).iterdir()) == []
    assert stable(work_dir)["stale_because"] == "the base OS is another one"
    refreshed = run_cli("branch", "refresh", "stable", work_dir=work_dir)
    assert refreshed.ok, refreshed.stderr
    assert stable(work_dir)["fresh"]


@pytest.mark.slow
def test_the_base_os_own_list_can_be_set(work_dir: Path, tmp_path: Path) -> None:
    listed = work_dir / "conf/base.sources"
    listed.write_text((work_dir / "conf/source_lists/stable.sources").read_text() + "# ours\n")
    done = run_cli("--set", f"base.source_list={listed}", "update-baseos", work_dir=work_dir)
    assert done.ok, done.stderr
    key = json.loads((work_dir / ".builder/base.json").read_text())["key"]
    tree = work_dir / ".builder/store/layers" / key / "tree"
    assert (tree / "etc/apt/sources.list.d/branch.sources").read_text() == listed.read_text()
    assert (tree / "etc/apt/sources.list").read_text() == ""
