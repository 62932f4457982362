"""Commands that only look, and the first configuration."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from lapstrake.config.places import SYSTEM_DIRS
from lapstrake.names import BranchName
from lapstrake.repository.flat import Repository
from lapstrake.repository.signing import own_signer
from roots import open_work_dir, run_cli


def test_the_first_branch_of_a_user_brings_a_configuration(user_dir: tuple[str, Path]) -> None:
    if any((folder / "config.toml").exists() for folder in SYSTEM_DIRS):
        pytest.skip("this host has a configuration of its own")
    user, home = user_dir
    (home / "my.list").write_text("deb http://a.example/debian x main\n")
    done = run_cli("branch", "add", "mine", "--from", "my.list", work_dir=home, user=user)
    assert done.ok, done.stderr
    conf = home / ".config/lapstrake"
    assert done.stdout.strip() == str(conf / "source_lists/mine.list")
    assert (conf / "config.toml").exists()
    assert {path.name for path in (conf / "source_lists").iterdir()} == {
        "mine.list",
        "stable.sources",
    }
    rows = json.loads(run_cli("branch", "list", "--json", work_dir=home, user=user).stdout)
    assert [row["name"] for row in rows] == ["mine", "stable"]


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg-deb")
def test_what_a_repository_holds_is_listed(tmp_path: Path) -> None:
    empty = run_cli("branch", "packages", "stable", work_dir=tmp_path)
    assert empty.ok
    assert "empty" in empty.stderr
    root = tmp_path / "root"
    (root / "DEBIAN").mkdir(parents=True)
    (root / "DEBIAN/control").write_text(
        "Package: probe\nVersion: 1.0\nArchitecture: all\n"
        "Maintainer: A <a@example.org>\nDescription: probe\n"
    )
    deb = tmp_path / "probe_1.0_all.deb"
    subprocess.run(
        ["dpkg-deb", "-Znone", "-b", str(root), str(deb)], check=True, stdout=subprocess.DEVNULL
    )
    place, name = open_work_dir(tmp_path), BranchName("stable")
    Repository(place.output(name), name, lambda: own_signer(tmp_path / "keys")).publish([deb])
    listed = run_cli("branch", "packages", "stable", work_dir=tmp_path).stdout.splitlines()
    assert listed[1].split()[:3] == ["probe", "1.0", "all"]
    (row,) = json.loads(run_cli("branch", "packages", "stable", "--json", work_dir=tmp_path).stdout)
    assert row["package"] == "probe"
    facts = json.loads(run_cli("branch", "list", "--json", work_dir=tmp_path).stdout)
    assert facts[0]["packages"] == 1
    assert run_cli("branch", "packages", "nobody", work_dir=tmp_path).status == 5


def test_bundles_are_found_in_trees(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one / "app/hello", two / "lib/world"):
        folder.mkdir(parents=True)
        (folder / "spec").write_text("VER=1\n")
    trees = ("--tree", str(one), "--tree", str(two))
    listed = run_cli("tree", "list", *trees, work_dir=tmp_path).stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["app/hello", "lib/world"]
    for name, address in (("hello", "app/hello"), ("lib/world", "lib/world")):
        found = run_cli("tree", "find", name, "--json", *trees, work_dir=tmp_path)
        assert json.loads(found.stdout)[0]["address"] == address
    missing = run_cli("tree", "find", "helo", *trees, work_dir=tmp_path)
    assert missing.status == 6
    none = run_cli("tree", "list", work_dir=tmp_path)
    assert none.status == 2
    assert "--tree" in none.stderr


def test_why_tells_of_layers_and_branches(work_dir: Path) -> None:
    (row,) = json.loads(run_cli("branch", "list", "--json", work_dir=work_dir).stdout)
    said = run_cli("why", "layer", row["instance"][:10], work_dir=work_dir).stdout
    assert "it has no instance yet" in said
    assert "the branch stable" in said
    base = run_cli("why", "layer", row["base"], work_dir=work_dir).stdout
    assert "it is the base OS" in base
    said = run_cli("why", "branch", "stable", work_dir=work_dir).stdout
    assert "the branch stable is" in said
    assert row["instance"][:12] in said
