"""What every builder does: builds, goes on where it was, begins anew, and says what failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder_subjects import TREE, Subject, contents
from lapstrake.errors import ArtifactError, BuildError
from roots import Recorder


def test_a_build_ends_as_an_archive_goes_on_the_next_time_and_begins_anew(
    subject: Subject,
) -> None:
    recorder = Recorder()
    package = subject.package(runner=replace(subject.spec, make_args=("all", "WORDS=two words")))
    platform = replace(TREE, archive="cp compiled prepared tree")
    job = subject.job(replace(package, platform=platform), progress=recorder)
    with pytest.raises(ArtifactError, match="tiny was never built here"):
        subject.builder.archive(job)

    archive = subject.builder.build(job)

    assert archive == job.downloads / "tiny-portable-1.0-AAAAAAA.tar.gz"
    made = archive.read_bytes()
    first = {"hello": "HELLO\n", "link": "-> hello", "words": "two words\n"}
    assert contents(archive) == {**first, "compiled": "once\n", "prepared": "once\n"}
    assert [text for text in recorder.headlines if "ing" in text and "layer" not in text][-2:] == [
        "Preparing",
        "Compiling hello",
    ]
    assert "tr a-z A-Z" in job.log.read_text()

    (package.folder / "hello.txt").write_text("other\n")
    again = subject.builder.build(replace(job, identity=replace(job.identity, checksum="B" * 64)))

    assert again.name == "tiny-portable-1.0-BBBBBBB.tar.gz"
    then = {**first, "hello": "OTHER\n", "compiled": "once\n" * 2, "prepared": "once\n" * 2}
    assert contents(again) == then

    subject.builder.clean(job)
    subject.builder.clean(job)
    with pytest.raises(ArtifactError, match="never built"):
        subject.builder.archive(job)
    (package.folder / "hello.txt").write_text("hello\n")
    assert subject.builder.build(job).read_bytes() == made


def test_a_failed_step_is_told_and_what_was_built_before_it_is_kept(subject: Subject) -> None:
    job = subject.job(subject.script("echo first >> tree/f; seq 100; echo 'no way' >&2; exit 7"))
    with pytest.raises(BuildError) as caught:
        subject.builder.build(job)
    assert caught.value.brief == "tiny 1.0: the step build ended with status 7"
    assert caught.value.details.splitlines()[-2:] == ["100", "no way"]
    assert str(job.log) in caught.value.resolution
    assert {"1", "50", "100"} < set(job.log.read_text().split("\n"))
    assert not job.downloads.exists() or not list(job.downloads.glob("tiny*"))

    mended = replace(job, package=subject.script("echo second >> tree/f"))
    assert contents(subject.builder.build(mended)) == {"f": "first\nsecond\n"}
