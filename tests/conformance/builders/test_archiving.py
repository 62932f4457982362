"""What every builder makes of what was built: an archive, or a reason why there is none."""

from __future__ import annotations

import pytest

from builder_subjects import Subject, contents
from lapstrake.artifact.builders.base import Job
from lapstrake.errors import BuildError


def job_of(subject: Subject, archive: str, output: str) -> Job:
    """A job whose build step would fail."""
    return subject.job(subject.script("exit 9", archive=archive, output=output))


def test_only_the_archive_step_runs_over_what_was_built(built: Subject) -> None:
    job = job_of(built, "mkdir -p more; cp tree/f more", "more")
    assert contents(built.builder.archive(job)) == {"f": "good\n"}


def test_an_archive_that_the_platform_made_itself_is_taken(built: Subject) -> None:
    made = (
        'mkdir -p "$LAPSTRAKE_ARTIFACT_NAME"; echo hi > "$LAPSTRAKE_ARTIFACT_NAME/hi"\n'
        'tar -czf "$LAPSTRAKE_ARTIFACT_FILE" "$LAPSTRAKE_ARTIFACT_NAME"'
    )
    assert contents(built.builder.archive(job_of(built, made, ""))) == {"hi": "hi\n"}


_HOSTILE = (
    ("ln -s /etc out", "out", "not followed"),
    ("ln -s / out", "out/etc", "not followed"),
    ("true", "out", "is not there"),
    ("echo nonsense > it.tar.gz", "it.tar.gz", "broken archive"),
)


def test_archives_that_are_not_taken(built: Subject) -> None:
    job = job_of(built, "echo no room for it; exit 3", "tree")
    for file in job.downloads.glob("tiny*"):
        file.unlink()
    with pytest.raises(BuildError, match="the step archive ended with status 3") as caught:
        built.builder.archive(job)
    assert "no room for it" in caught.value.details
    assert str(job.log.with_name("archive.log")) in caught.value.resolution
    assert "no room" not in job.log.read_text()

    for archive, output, why in _HOSTILE:
        if output == "out/etc" and built.name in {"docker", "podman"}:
            continue  # the engine follows it, to what is in the container
        if built.name == "podman":
            why += "|is not there"  # it finds no link that leaves the volume
        with pytest.raises(BuildError, match=why):
            built.builder.archive(job_of(built, f"rm -rf out it.tar.gz; {archive}", output))
    assert not list(job.downloads.glob("tiny*"))
