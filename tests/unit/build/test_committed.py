"""When a bundle was committed: git's answer, whatever the bundle's own repository wants run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lapstrake.build.committed import committed

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="needs git")


def _git(folder: Path, *arguments: str, when: int = 1_000_000_000) -> str:
    env = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_AUTHOR_DATE": f"{when} +0000",
        "GIT_COMMITTER_DATE": f"{when} +0000",
    }
    options = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    done = subprocess.run(
        ["git", "-C", folder, *options, *arguments], env=env, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


def _commit(top: Path, file: str, when: int) -> None:
    (top / file).parent.mkdir(parents=True, exist_ok=True)
    (top / file).write_text(str(when))
    _git(top, "add", ".")
    _git(top, "commit", "-qm", "x", when=when)


@pytest.fixture(params=["sha1", "sha256"])
def top(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / "tree"
    folder.mkdir()
    _git(folder, "init", "-q", f"--object-format={request.param}")
    _commit(folder, "one/spec", 1_000_000_000)
    _commit(folder, "t*o/spec", 1_100_000_000)
    _commit(folder, "txo/spec", 1_200_000_000)
    return folder


def test_each_folder_has_its_own_time(top: Path) -> None:
    _git(top, "tag", "-am", "x", "v1")
    assert committed(top) == 1_200_000_000
    assert committed(top / "one") == 1_000_000_000
    assert committed(top / "t*o") == 1_100_000_000
    (top / "new").mkdir()
    assert committed(top / "new") is None


def test_packed_detached_shallow_and_further_trees(top: Path, tmp_path: Path) -> None:
    _git(top, "gc", "-q")
    _git(top, "pack-refs", "--all")
    assert committed(top / "one") == 1_000_000_000
    _git(top, "worktree", "add", "-q", str(tmp_path / "further"), "-b", "further")
    _commit(tmp_path / "further", "one/spec", 1_300_000_000)
    assert committed(tmp_path / "further/one") == 1_300_000_000
    assert committed(top / "one") == 1_000_000_000
    _git(top, "checkout", "-q", "--detach", "HEAD~1")
    assert committed(top) == 1_100_000_000
    _git(tmp_path, "clone", "-q", "--depth=1", f"file://{top}", "shallow")
    assert committed(tmp_path / "shallow/one") == 1_100_000_000


def test_no_program_of_the_repository_is_run(top: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    evil = top / "evil"
    evil.write_text(f"#!/bin/sh\ntouch '{proof}'\nexit 1\n")
    evil.chmod(0o755)
    field = "gpgsig" if len(_git(top, "rev-parse", "HEAD")) == 40 else "gpgsig-sha256"
    lines = _git(top, "cat-file", "commit", "HEAD").partition("\n\n")
    marks = "-----BEGIN PGP SIGNATURE-----\n x\n -----END PGP SIGNATURE-----"
    signed = f"{lines[0]}\n{field} {marks}\n\nx\n"
    (tmp_path / "commit").write_text(signed)
    head = _git(top, "hash-object", "-t", "commit", "-w", str(tmp_path / "commit"))
    _git(top, "update-ref", "HEAD", head)
    for name, value in {
        "log.showSignature": "true",
        "gpg.program": str(evil),
        "core.fsmonitor": str(evil),
        "core.sshCommand": str(evil),
        "core.alternateRefsCommand": str(evil),
    }.items():
        _git(top, "config", name, value)
    subprocess.run(["git", "-C", top, "log", "-1"], check=True, capture_output=True)
    assert proof.exists(), "the trap is none"
    proof.unlink()
    assert committed(top) == 1_200_000_000
    assert not proof.exists()


def test_missing_objects_are_not_fetched(top: Path, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    for name, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": f"ext::touch {proof}",
        "protocol.ext.allow": "always",
    }.items():
        _git(top, "config", name, value)
    tree = _git(top, "rev-parse", "HEAD^{tree}")
    (top / ".git/objects" / tree[:2] / tree[2:]).unlink()
    subprocess.run(["git", "-C", top, "log", "-1", "--", "one"], check=False, capture_output=True)
    assert proof.exists(), "the trap is none"
    proof.unlink()
    assert committed(top / "one") is None
    assert not proof.exists()


def test_a_damaged_repository_knows_nothing(tmp_path: Path) -> None:
    git = tmp_path / ".git"
    git.mkdir()
    assert committed(tmp_path) is None
    os.mkfifo(git / "HEAD")
    assert committed(tmp_path) is None
    (git / "HEAD").unlink()
    for text in ("ref: HEAD", "ref: ../../etc/passwd", "--output=x", "ref: a\0b", "0" * 40):
        (git / "HEAD").write_text(text)
        assert committed(tmp_path) is None
