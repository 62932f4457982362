"""Branches as people manage them: list, add, remove, drafts, history, cleanup."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lapstrake.config.places import host_codename
from lapstrake.errors import BranchError
from roots import cli_command, cli_environment, run_cli


def listed(work_dir: Path, name: str = "stable", **more: Any) -> dict[str, Any]:
    done = run_cli("branch", "list", "--json", work_dir=work_dir, **more)
    assert done.ok, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return {row["name"]: row for row in rows}[name]


def run(work_dir: Path, *words: str, status: int = 0, **more: Any) -> str:
    done = run_cli(*words, work_dir=work_dir, **more)
    assert done.status == status, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout + done.stderr


def in_draft(work_dir: Path, command: str, status: int = 0, **more: Any) -> str:
    return run(
        work_dir, "branch", "shell", "stable", "--", "sh", "-c", command, status=status, **more
    )


def test_a_branch_is_fresh_until_something_changes(work_dir: Path) -> None:
    facts = listed(work_dir)
    assert facts["fresh"]
    assert facts["size"] > 1_000_000
    assert facts["packages"] == 0
    table = run(work_dir, "branch", "list")
    assert "stable" in table
    assert "fresh" in table
    file = work_dir / "conf/source_lists/stable.sources"
    file.write_text(file.read_text() + "# a comment\n")
    assert "was edited" in listed(work_dir)["stale_because"]
    assert "was edited" in run(work_dir, "why", "branch", "stable")


def test_add_and_remove(work_dir: Path, tmp_path: Path) -> None:
    run(work_dir, "branch", "add", "copied", "--copy", "stable")
    lists = work_dir / "conf/source_lists"
    assert (lists / "copied.sources").read_text() == (lists / "stable.sources").read_text()
    one_line = tmp_path / "my.list"
    one_line.write_text("deb http://a.example/debian x main\n")
    run(work_dir, "branch", "add", "mine", "--from", str(one_line))
    assert (lists / "mine.list").read_text() == one_line.read_text()
    assert listed(work_dir, "mine")["stale_because"] == "it has no instance yet"
    again = run(work_dir, "branch", "add", "mine", status=BranchError.exit_code)
    assert "mine" in again
    run(work_dir, "branch", "add", "../x", status=2)
    run(work_dir, "branch", "add", "two", "--copy=stable", "--suite=x", status=2)
    one_line.write_text("this is no list\n")
    run(work_dir, "branch", "add", "wrong", "--from", str(one_line), status=3)
    assert not list(lists.glob("wrong*"))
    (work_dir / "output/mine").mkdir(parents=True)
    (work_dir / "output/mine/file").touch()
    refused = run(work_dir, "branch", "remove", "mine", status=130, stdin="n\n")
    assert "Remove the branch mine" in refused
    assert (lists / "mine.list").exists()
    run(work_dir, "branch", "remove", "mine", "--yes")
    assert not (lists / "mine.list").exists()
    assert (work_dir / "output/mine/file").exists()
    run(work_dir, "branch", "remove", "mine", "--yes", status=BranchError.exit_code)
    (work_dir / "output/copied").mkdir()
    run(work_dir, "branch", "remove", "copied", "--purge", stdin="y\n")
    assert not (work_dir / "output/copied").exists()


def test_a_configuration_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    conf = tmp_path / "new"
    one_line = tmp_path / "my.list"
    one_line.write_text("deb http://a.example/debian x main\n")
    environment = cli_environment(tmp_path) | {"XDG_CONFIG_HOME": str(tmp_path / "home")}
    words = ("-c", str(conf), "branch", "add", "mine", "--from", str(one_line))
    refused = subprocess.run(cli_command(*words), env=environment, capture_output=True, text=True)
    assert refused.returncode == 3  # -c names a configuration that must be there
    subprocess.run(cli_command("-c", str(conf), "config", "init"), env=environment, check=True)
    subprocess.run(cli_command(*words), env=environment, check=True)
    assert sorted(path.name for path in (conf / "source_lists").iterdir()) == [
        "mine.list",
        "stable.sources",
    ]


@pytest.mark.skipif(host_codename() != "bookworm", reason="names suites beside Debian 12's")
def test_a_suite_that_does_not_exist_is_told(work_dir: Path) -> None:
    said = run(work_dir, "branch", "add", "odd", "--suite=nonesuch", status=BranchError.exit_code)
    assert "nonesuch" in said
    run(work_dir, "branch", "add", "next", "--suite=trixie")
    text = (work_dir / "conf/source_lists/next.sources").read_text()
    assert "Suites: trixie\n" in text
    assert "bookworm" not in text


def test_drafts_stay_until_committed_or_dropped(work_dir: Path) -> None:
    first = listed(work_dir)
    said = in_draft(work_dir, "echo draft > /etc/mine; rm /etc/debian_version; id -u")
    assert "0\n" in said
    draft = listed(work_dir)
    assert draft["draft"]["size"] > 0
    assert draft["instance"] == first["instance"]
    assert "draft" in in_draft(work_dir, "cat /etc/mine")
    assert in_draft(work_dir, "exit 7", status=7) == ""
    run(work_dir, "branch", "commit", "stable")
    committed = listed(work_dir)
    assert committed["draft"] is None
    assert committed["fresh"]
    assert len(committed["commits"]) == 1
    assert committed["instance"] != first["instance"]
    seen = in_draft(work_dir, "cat /etc/mine; test ! -e /etc/debian_version; rm /etc/mine")
    assert "draft" in seen
    run(work_dir, "branch", "rollback", "stable")  # the draft
    assert listed(work_dir)["draft"] is None
    assert listed(work_dir)["instance"] == committed["instance"]
    assert "draft" in in_draft(work_dir, "cat /etc/mine")
    run(work_dir, "branch", "rollback", "stable")
    run(work_dir, "branch", "rollback", "stable")  # the commit
    assert listed(work_dir)["instance"] == first["instance"]
    assert listed(work_dir)["fresh"]
    said = run(work_dir, "branch", "rollback", "stable", status=BranchError.exit_code)
    assert "no former instance" in said
    said = run(work_dir, "branch", "commit", "stable", status=BranchError.exit_code)
    assert "no draft" in said


def test_commits_survive_a_refresh(work_dir: Path) -> None:
    in_draft(work_dir, "echo kept > /etc/mine")
    run(work_dir, "branch", "commit", "stable")
    file = work_dir / "conf/source_lists/stable.sources"
    file.write_text(file.read_text() + "# edited\n")
    said = run(work_dir, "branch", "refresh", "stable")
    assert "was edited" in said
    facts = listed(work_dir)
    assert facts["fresh"]
    assert len(facts["commits"]) == 1
    assert "kept" in in_draft(work_dir, "cat /etc/mine")


def test_a_draft_on_another_base_is_not_committed(work_dir: Path) -> None:
    in_draft(work_dir, "true")
    state = work_dir / ".builder/base.json"
    document = json.loads(state.read_text())
    state.write_text(json.dumps(document | {"key": "0" * 64}))
    said = run(work_dir, "branch", "commit", "stable", status=BranchError.exit_code)
    assert "another base OS" in said
    run(work_dir, "branch", "rollback", "stable")


def wait_for(file: Path) -> None:
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_one_at_a_time_in_a_draft_and_nothing_used_is_cleaned(work_dir: Path) -> None:
    in_draft(work_dir, "true")
    command = cli_command("branch", "shell", "stable", "--", "sh", "-c", "touch /here; sleep 60")
    with subprocess.Popen(
        command, env=cli_environment(work_dir), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        wait_for(work_dir / ".builder/drafts/stable/upper/here")
        said = in_draft(work_dir, "true", status=BranchError.exit_code)
        assert str(process.pid) in said
        for words in (
            ("branch", "rollback", "stable"),
            ("branch", "commit", "stable"),
            ("branch", "remove", "stable", "--yes"),
            ("cleanup", "stable"),
            ("cleanup", "baseos"),
            ("cleanup", "all"),
        ):
            refused = run(work_dir, *words, status=BranchError.exit_code)
            assert str(process.pid) in refused, words
        process.terminate()
        process.communicate(timeout=60)
    assert listed(work_dir)["draft"]
    assert (work_dir / ".builder/base.json").exists()


def test_a_killed_draft_can_be_entered_again(work_dir: Path) -> None:
    command = cli_command("branch", "shell", "stable", "--", "sh", "-c", "echo a > /here; sleep 60")
    with subprocess.Popen(
        command, env=cli_environment(work_dir), stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        wait_for(work_dir / ".builder/drafts/stable/upper/here")
        process.kill()
    assert "a" in in_draft(work_dir, "cat /here")


def test_cleanup_of_a_branch(work_dir: Path) -> None:
    run(work_dir, "branch", "add", "other", "--copy", "stable")
    run(work_dir, "branch", "refresh", "other")
    assert listed(work_dir, "other")["instance"] == listed(work_dir)["instance"]
    in_draft(work_dir, "true")
    (work_dir / "output/stable").mkdir(parents=True)
    assert "freed" in run(work_dir, "cleanup", "stable")
    assert listed(work_dir)["stale_because"] == "it has no instance yet"
    assert listed(work_dir, "other")["fresh"]  # it shares the layer, which stays
    assert "nothing to remove" in run(work_dir, "cleanup", "stable")
    assert (work_dir / "output/stable").is_dir()
    said = run(work_dir, "cleanup", "nobody", status=BranchError.exit_code)
    assert "stable" in said
    run(work_dir, "cleanup", "../conf", status=2)
    run(work_dir, "cleanup", "other")
    run(work_dir, "branch", "refresh", "stable")
    assert listed(work_dir)["fresh"]


def test_cleanup_of_the_base_and_of_all(work_dir: Path) -> None:
    for folder in ("output/stable", "builds", "keys"):
        (work_dir / folder).mkdir(parents=True, exist_ok=True)
        (work_dir / folder / "mine").touch()
    in_draft(work_dir, "true")
    run(work_dir, "cleanup", "baseos")
    assert not (work_dir / ".builder/base.json").exists()
    assert list((work_dir / ".builder/store/layers").iterdir()) == []
    assert list((work_dir / ".builder/drafts").iterdir()) == []
    assert "no base OS" in listed(work_dir)["stale_because"] or listed(work_dir)["instance"] is None
    assert "nothing to remove" in run(work_dir, "cleanup", "baseos")
    run(work_dir, "cleanup", "all")
    assert not (work_dir / ".builder").exists()
    assert "nothing to remove" in run(work_dir, "cleanup", "all")
    for folder in ("output/stable", "builds", "keys"):
        assert (work_dir / folder / "mine").exists()


def test_nothing_is_removed_through_a_mount(work_dir: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").touch()
    point = work_dir / ".builder/store/workspaces/mount point"
    point.mkdir()
    subprocess.run(["mount", "--bind", str(precious), str(point)], check=True)
    try:
        said = run(work_dir, "cleanup", "all", status=20)
        assert str(point) in said
        assert (precious / "file").exists()
        assert (work_dir / ".builder/base.json").exists()
    finally:
        subprocess.run(["umount", str(point)], check=True)
    run(work_dir, "cleanup", "all")
    assert (precious / "file").exists()


@pytest.mark.slow
def test_a_user_does_the_same(rootless_work_dir: tuple[str, Path]) -> None:
    user, work_dir = rootless_work_dir
    assert listed(work_dir, user=user)["fresh"]
    in_draft(work_dir, "echo draft > /etc/mine; chown 33:33 /etc/mine", user=user)
    run(work_dir, "branch", "commit", "stable", user=user)
    assert "33" in in_draft(work_dir, "stat -c %u /etc/mine", user=user)
    run(work_dir, "branch", "rollback", "stable", user=user)
    run(work_dir, "branch", "rollback", "stable", user=user)
    assert listed(work_dir, user=user)["draft"] is None
