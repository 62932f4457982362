"""What every builder does: builds, goes on where it was, archives, and says what failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from builder_subjects import TREE, Subject, contents
from lapstrake.artifact.base import Platform
from lapstrake.errors import ArtifactError, BuildError
from roots import Recorder


def test_a_build_ends_as_an_archive_and_goes_on_the_next_time(subject: Subject) -> None:
    recorder = Recorder()
    package = subject.package(runner=replace(subject.spec, make_args=("all", "WORDS=two words")))
    platform = replace(TREE, archive="cp compiled prepared tree")
    job = subject.job(replace(package, platform=platform), progress=recorder)

    archive = subject.builder.build(job)

    assert archive == job.downloads / "tiny-portable-1.0-AAAAAAA.tar.gz"
    first = {"hello": "HELLO\n", "link": "-> hello", "words": "two words\n"}
    assert contents(archive) == {**first, "compiled": "once\n", "prepared": "once\n"}
    assert [text for text in recorder.headlines if "ing" in text and "layer" not in text][-2:] == [
        "Preparing",
        "Compiling hello",
    ]
    assert "tr a-z A-Z" in job.log.read_text()

    subject.builder.build(job)  # nothing to do
    (package.folder / "hello.txt").write_text("other\n")
    again = subject.builder.build(replace(job, identity=replace(job.identity, checksum="B" * 64)))

    assert again.name == "tiny-portable-1.0-BBBBBBB.tar.gz"
    then = {**first, "hello": "OTHER\n", "compiled": "once\n" * 2, "prepared": "once\n" * 2}
    assert contents(again) == then


def test_the_same_inputs_give_the_same_bytes(subject: Subject) -> None:
    job = subject.job(subject.package())
    first = subject.builder.build(job).read_bytes()
    subject.builder.clean(job)
    assert subject.builder.build(job).read_bytes() == first


def test_only_the_archive_step_runs_over_what_was_built(subject: Subject) -> None:
    job = subject.job(subject.package(Platform(build="mkdir -p t; echo x >> t/x", output="t")))
    with pytest.raises(ArtifactError, match="tiny was never built here"):
        subject.builder.archive(job)
    built = subject.builder.build(job)
    built.unlink()
    assert contents(subject.builder.archive(job)) == {"x": "x\n"}

    subject.builder.clean(job)
    subject.builder.clean(job)
    with pytest.raises(ArtifactError, match="never built"):
        subject.builder.archive(job)


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


def test_the_archive_steps_own_log_is_named_when_it_fails(subject: Subject) -> None:
    job = subject.job(subject.script("echo built", archive="echo no room for it; exit 3"))
    with pytest.raises(BuildError, match="the step archive ended with status 3") as caught:
        subject.builder.build(job)
    assert "no room for it" in caught.value.details
    assert str(job.log.with_name("archive.log")) in caught.value.resolution
    assert "no room" not in job.log.read_text()


_HOSTILE = (
    ("ln -s /etc tree", "tree", "not followed"),
    ("ln -s / tree", "tree/etc", "not followed"),
    ("true", "tree", "is not there"),
    ("echo nonsense > it.tar.gz", "it.tar.gz", "broken archive"),
)


def test_what_a_hostile_build_leaves_is_not_taken(subject: Subject) -> None:
    subject.builder.build(subject.job(subject.script("echo built"))).unlink()
    for archive, output, why in _HOSTILE:
        if output == "tree/etc" and subject.name in {"docker", "podman"}:
            continue  # the engine follows it, to what is in the container
        package = subject.script("", archive=f"rm -rf tree it.tar.gz; {archive}", output=output)
        job = subject.job(package)
        if subject.name == "podman":
            why += "|is not there"  # it finds no link that leaves the volume
        with pytest.raises(BuildError, match=why):
            subject.builder.archive(job)
        assert not list(job.downloads.glob("tiny*"))


def test_an_archive_that_the_platform_made_itself_is_taken(subject: Subject) -> None:
    made = (
        'mkdir -p "$LAPSTRAKE_ARTIFACT_NAME"; echo hi > "$LAPSTRAKE_ARTIFACT_NAME/hi"\n'
        'tar -czf "$LAPSTRAKE_ARTIFACT_FILE" "$LAPSTRAKE_ARTIFACT_NAME"'
    )
    job = subject.job(subject.script("echo built", archive=made, output=""))
    assert contents(subject.builder.build(job)) == {"hi": "hi\n"}
