"""From a build to another home by way of our registry, a bucket, a folder: the program itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from registry_server import served
from roots import Completed, run_cli

_MANIFEST = """\
[package]
name = "words"
type = "package"
version = "1.0+rc.1"
checksum = ["list.txt"]

[platform]
build = "mkdir -p tree && tr a-z A-Z < $LAPSTRAKE_PACKAGE_DIR/list.txt > tree/words"
archive = "true"
output = "tree"

[runner]
name = "local"

[[site]]
url = "http://127.0.0.1:1/nobody"

[[site]]
oci = "{registry}/push/team/words"
"""


@pytest.fixture(scope="module")
def registry(memory: Path) -> Iterator[str]:
    with served(memory / "registry-of-artifacts") as running:
        yield running.host


def write_project(folder: Path, registry: str = "127.0.0.1:1") -> Path:
    """A home that is a project, too."""
    folder.mkdir()
    (folder / "lapstrake.toml").write_text(_MANIFEST.format(registry=registry))
    (folder / "list.txt").write_text("one two\n")
    return folder


@pytest.fixture(scope="module")
def maker(memory: Path, registry: str) -> Path:
    """A home where the artifact was built."""
    home = write_project(memory / "maker", registry)
    built = run_cli("artifact", "build", work_dir=home)
    assert built.ok, built.stderr
    return home


_ONCE = ("--set", "artifacts.retries=0")


def publish(home: Path, *words: str) -> Completed:
    return run_cli(*_ONCE, "artifact", "publish", *words, work_dir=home)


def test_published_to_our_registry_and_fetched_elsewhere(
    maker: Path, registry: str, tmp_path: Path
) -> None:
    done = publish(maker)
    assert done.ok, done.stderr
    place = f"oci:{registry}/push/team/words:words-linux_{os.uname().machine}-1.0_rc.1-"
    assert done.stdout.startswith(place)
    assert done.stdout.endswith(" published\n")
    assert publish(maker, "words", "--to", "2").stdout.endswith(" is there already\n")
    home = write_project(tmp_path / "home", registry)
    got = run_cli(*_ONCE, "artifact", "get", work_dir=home)
    assert got.ok, got.stderr
    path = Path(got.stdout.split()[1])
    assert path.is_relative_to(home)
    assert (path / "words").read_text() == "ONE TWO\n"


def test_published_into_a_folder(maker: Path, tmp_path: Path) -> None:
    done = publish(maker, "--to", str(tmp_path / "site"))
    assert done.ok, done.stderr
    archive, digest = sorted((tmp_path / "site").iterdir())
    assert done.stdout == f"{archive} published\n"
    subprocess.run(["sha256sum", "-c", "--quiet", digest], cwd=digest.parent, check=True)
    archive.write_bytes(b"other")
    refused = publish(maker, "--to", str(tmp_path / "site"))
    assert refused.status == 27
    assert "is something else" in refused.stderr
    assert archive.read_bytes() == b"other"
    replaced = publish(maker, "--to", str(tmp_path / "site"), "--force")
    assert replaced.stdout == f"{archive} replaced\n"
    subprocess.run(["sha256sum", "-c", "--quiet", digest], cwd=digest.parent, check=True)


def test_what_cannot_be_published(maker: Path, tmp_path: Path) -> None:
    for words, status, said in (
        (("--to", "oci:nowhere"), 27, "has an empty part"),
        (("--to", "oci:127.0.0.1:1/a"), 25, "127.0.0.1:1 cannot be reached"),
        (("verbs",), 2, "has no package 'verbs'"),
    ):
        refused = publish(maker, *words)
        assert (refused.status, said in refused.stderr) == (status, True), refused.stderr
    override = run_cli("artifact", "publish", work_dir=maker, WORDS=str(tmp_path))
    assert override.status == 27
    assert "WORDS names it" in override.stderr
    stale = publish(write_project(tmp_path / "empty"))
    assert stale.status == 29
    assert "lapstrake artifact build words" in stale.stderr
