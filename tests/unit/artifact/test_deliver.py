"""What a build left is taken only if it is what it should be, and where it should be."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import pytest

from builder_subjects import Subject, contents
from lapstrake.artifact.base import RunnerSpec
from lapstrake.artifact.builders.deliver import deliver
from lapstrake.artifact.builders.local import LocalBuilder
from lapstrake.artifact.keeping.entries import Kind, archives_in
from lapstrake.errors import ArtifactError, BuildError


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(name="local", builder=LocalBuilder(), folder=tmp_path, spec=RunnerSpec())


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "tree").mkdir(parents=True)
    (folder / "tree/file").write_text("text")
    (folder / "nonsense.tar.gz").write_text("nonsense")
    (folder / "empty.tar.gz").touch()
    (folder / "link.tar.gz").symlink_to("/etc/passwd")
    (folder / "etc").symlink_to("/etc")
    os.mkfifo(folder / "fifo")
    return folder


@pytest.mark.parametrize(
    ("output", "why"),
    [
        ("etc", "'etc', which is not followed"),
        ("etc/ssl", "'etc', which is not followed"),
        ("tree/../tree", "'..', which is not followed"),
        ("link.tar.gz", "not followed"),
        ("fifo", "neither a file nor a folder"),
        ("missing", "is not there"),
        ("tree/file/below", "is not there"),
        ("nonsense.tar.gz", "broken archive"),
        ("empty.tar.gz", "broken archive"),
    ],
)
def test_refused(subject: Subject, work: Path, output: str, why: str) -> None:
    job = subject.job(subject.package())
    with pytest.raises(BuildError, match=why):
        deliver(job, work, output)
    assert [path.name for path in job.downloads.glob("*")] in ([], ["locks"])


def test_a_folder_is_packed(subject: Subject, work: Path) -> None:
    archive = deliver(subject.job(subject.package()), work, "tree")
    assert contents(archive) == {"file": "text"}
    with tarfile.open(archive) as tar:
        assert {member.name.split("/")[0] for member in tar} == {"tiny-portable-1.0-AAAAAAA"}


def test_what_a_killed_build_left_goes_with_the_next(subject: Subject, work: Path) -> None:
    job = subject.job(subject.package())
    job.downloads.mkdir(parents=True, exist_ok=True)
    name = job.identity.file_name
    left = job.downloads / f".lapstrake-tmp.0a1b2c..lapstrake-tmp.42.{name}"
    others = job.downloads / ".lapstrake-tmp.0a1b2c.other-linux_x86_64-1.0-AAAAAAA.tar.gz"
    left.touch()
    others.touch()
    (told,) = [each for each in archives_in(job.downloads) if each.path == left]
    assert (told.package, told.kind) == ("tiny", Kind.PARTIAL)
    deliver(job, work, "tree")
    assert {path.name for path in job.downloads.glob("*")} == {"locks", name, others.name}


def test_what_no_artifact_can_hold_is_named(subject: Subject, work: Path) -> None:
    os.mkfifo(work / "tree/pipe")
    with pytest.raises(ArtifactError, match="tree/pipe"):
        deliver(subject.job(subject.package()), work, "tree")
