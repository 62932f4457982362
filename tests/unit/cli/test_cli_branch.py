"""``lapstrake branch`` as a user runs it, as far as it needs no root."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]
LINE = "deb http://a.invalid/debian stable main\n"


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A configuration without branches."""
    folder = tmp_path / "conf"
    (folder / "source_lists").mkdir(parents=True)
    (folder / "config.toml").write_text(f'work_dir = "{tmp_path / "work"}"\n')
    return folder


@pytest.fixture
def bare(environment: dict[str, str], tmp_path: Path) -> Run:
    """Run ``lapstrake`` on a host whose folder for the system's configuration is ``etc`` here."""
    system = tmp_path / "etc"
    program = (
        "import sys; from pathlib import Path; from lapstrake.config import places\n"
        f"places.SYSTEM_DIRS = (Path({str(system)!r}),)\n"
        f"places.user_dir = lambda: Path({str(system)!r})\n"
        "from lapstrake.cli.main import main; sys.exit(main())\n"
    )

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, *words],
            env={**environment, "LAPSTRAKE_WORK_DIR": str(tmp_path / "work")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


def test_no_branch_is_said(lapstrake: Run, conf: Path) -> None:
    done = lapstrake("-c", str(conf), "branch", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"there is no branch in {conf}/source_lists" in done.stderr
    assert lapstrake("-c", str(conf), "branch", "list", "--json").stdout == "[]\n"


def test_a_wrong_list_hides_no_other(lapstrake: Run, conf: Path) -> None:
    lists = conf / "source_lists"
    for name, text in {"bad": "\ndeb x\n", "good": LINE, "last": LINE, "all": LINE}.items():
        (lists / f"{name}.list").write_text(text)
    done = lapstrake("-c", str(conf), "branch", "list")
    assert done.returncode == 3
    header, *lines = done.stdout.splitlines()
    rows = {line.split()[0]: line for line in lines}
    assert header.split()[0] == "BRANCH"
    assert list(rows) == ["all", "bad", "good", "last"]
    assert f"{lists}/bad.list:2: " in rows["bad"]
    assert "cannot name a branch" in rows["all"]
    assert rows["good"].endswith(f"{lists}/good.list")
    assert "it has no instance yet" in rows["last"]
    listed = lapstrake("-c", str(conf), "branch", "list", "--json")
    assert listed.returncode == 3
    errors = {row["name"]: row.get("error", "") for row in json.loads(listed.stdout)}
    assert errors["bad"].startswith(f"{lists}/bad.list:2: ")
    assert errors["good"] == ""


def test_adding_a_branch_says_that_it_writes_a_configuration(bare: Run, tmp_path: Path) -> None:
    (tmp_path / "my.list").write_text(LINE)
    done = bare("branch", "add", "mine", "--from", "my.list")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path}/etc/source_lists/mine.list\n"
    assert f"there is no configuration yet: writing one to {tmp_path}/etc\n" in done.stderr
    assert "the branch stable was built in; from now on it is what its list" in done.stderr
    again = bare("branch", "add", "more", "--from", "my.list")
    assert (again.returncode, again.stderr) == (0, "")
    assert "config init" in bare("branch", "add", "--help").stdout


def test_adding_the_built_in_branch_writes_nothing(bare: Run, tmp_path: Path) -> None:
    done = bare("branch", "add", "stable")
    assert done.returncode == 5
    assert "it is built in" in done.stderr
    assert not (tmp_path / "etc").exists()
