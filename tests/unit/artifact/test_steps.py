"""Platforms as steps: run for real by a shell, in folders of the test's own."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder_subjects import Subject
from lapstrake.artifact.base import Package, PackageType, Platform, RunnerSpec
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.local import LocalBuilder
from lapstrake.artifact.builders.places import Places, guest_places
from lapstrake.artifact.builders.steps import Step, input_variable, steps_of
from lapstrake.errors import ProjectError


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(name="local", builder=LocalBuilder(), folder=tmp_path, spec=RunnerSpec())


def _run(step: Step, folder: Path, **variables: str) -> tuple[int, str]:
    environment = {"PATH": "/usr/bin:/bin", **variables}
    done = subprocess.run(
        step.argv, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def _prepare(job: Job) -> Step:
    return steps_of(job, guest_places(job)).prepare


def test_preparing_runs_again_only_when_what_it_reads_has_changed(
    subject: Subject, tmp_path: Path
) -> None:
    job = subject.job(subject.package(Platform(prepare="echo prepared # and no more")))

    def runs(job: Job) -> bool:
        return _run(_prepare(job), tmp_path) == (0, "prepared\n")

    assert runs(job)
    assert not runs(job)
    assert not runs(replace(job, jobs=7, folder=tmp_path / "elsewhere"))
    platform = replace(job.package, name="machinery")
    for changed in (
        replace(job, identity=replace(job.identity, checksum="B" * 64)),
        replace(job, machinery="another defconfig"),
        replace(job, inputs={"gcc": tmp_path / "gcc-2"}),
        replace(job, inputs={"gcc": tmp_path / "gcc-3"}),
        replace(job, platform=platform),
        replace(job, package=replace(job.package, runner=RunnerSpec(make_args=("V=1",)))),
        replace(job, package=replace(job.package, runner=RunnerSpec(packages=("flex",)))),
        replace(job, package=replace(job.package, runner=RunnerSpec(tag="image:2"))),
    ):
        assert runs(changed)
        assert not runs(changed)


def test_preparing_that_failed_is_done_again(subject: Subject, tmp_path: Path) -> None:
    job = subject.job(subject.package(Platform(prepare="false\necho not reached")))
    assert _run(_prepare(job), tmp_path) == (1, "")
    assert _run(_prepare(job), tmp_path) == (1, "")
    early = subject.job(subject.package(Platform(prepare="echo begun; exit 0")))
    assert _run(_prepare(early), tmp_path) == (0, "begun\n")
    assert _run(_prepare(early), tmp_path) == (0, "")


@given(words=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_make_arguments_arrive_as_they_are(words: list[str]) -> None:
    subject = Subject(
        name="local", builder=LocalBuilder(), folder=Path("/nowhere"), spec=RunnerSpec()
    )
    package = replace(
        _package(Platform(build='printf \'%s\\0\' "$#" "$@"')),
        runner=RunnerSpec(make_args=tuple(words)),
    )
    job = subject.job(package)
    argv = [os.fsencode(word) for word in steps_of(job, guest_places(job)).build.argv]
    said = subprocess.run(argv, capture_output=True, check=True).stdout
    assert said.split(b"\0")[:-1] == [word.encode() for word in (str(len(words)), *words)]


def _package(platform: Platform) -> Package:
    return Package(
        name="tiny", type=PackageType.SYSTEM, version="1", folder=Path("/p"), platform=platform
    )


def test_buildroots_commands() -> None:
    package = _package(Platform(name="buildroot", defconfig="my defconfig", package="br"))
    places = Places(
        work="/w", package="/p k", platform="/plat", downloads="/dl", artifacts="/artifacts"
    )
    subject = Subject(
        name="local", builder=LocalBuilder(), folder=Path("/nowhere"), spec=RunnerSpec()
    )
    job = subject.job(package)
    steps = steps_of(job, places)
    assert "/plat/create-build.sh '/p k/my defconfig' /w\n" in steps.prepare.argv[3]
    assert steps.build.argv[3] == 'make "$@"'
    assert steps.archive.argv[3] == "make system NERVES_ARTIFACT_NAME=tiny-portable-1-AAAAAAA"
    assert steps.output == "tiny-portable-1-AAAAAAA.tar.gz"
    assert steps.environment["NERVES_BR_DL_DIR"] == "/dl"
    assert steps.environment["LAPSTRAKE_PLATFORM_DIR"] == "/plat"


@pytest.mark.parametrize(
    ("platform", "why"),
    [
        (None, "says nothing of how it is built"),
        (Platform(name="buildroot"), "platform.defconfig is missing"),
        (Platform(name="yocto"), "'yocto' is none of script, buildroot"),
    ],
)
def test_what_no_platform_can_do_is_said(
    subject: Subject, platform: Platform | None, why: str
) -> None:
    job = subject.job(replace(subject.package(), platform=platform))
    with pytest.raises(ProjectError, match=why):
        steps_of(job, guest_places(job))


def test_the_packages_variables_come_last() -> None:
    subject = Subject(
        name="local", builder=LocalBuilder(), folder=Path("/nowhere"), spec=RunnerSpec()
    )
    job = subject.job(
        _package(Platform()),
        environment={
            "SOURCE_DATE_EPOCH": "7",
            "MINE": "x",
            "MORE": "${MINE}:${NERVES_TOOLCHAIN}/lib $MINE",
            "LATER": "${NERVES_SYSTEM}/lib",
        },
        inputs={"my-gcc": Path("/cache/my-gcc-1")},
        toolchain="my-gcc",
    )
    environment = steps_of(job, guest_places(job)).environment
    assert (environment["SOURCE_DATE_EPOCH"], environment["MINE"]) == ("7", "x")
    assert environment["MORE"] == "x:/nerves/host/artifacts/my-gcc/lib $MINE"
    assert "LATER" not in environment  # the system is not there while it is made
    assert environment[input_variable("my-gcc")] == "/nerves/host/artifacts/my-gcc"
    assert environment["NERVES_TOOLCHAIN"] == "/nerves/host/artifacts/my-gcc"
