"""The builder ``root``: what is particular about layers, users and the network."""

from __future__ import annotations

import os
import pwd
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from builder_subjects import Subject, contents
from lapstrake.artifact.base import RunnerSpec
from lapstrake.artifact.builders.base import Job
from lapstrake.artifact.builders.kept import KIND, KeptBuild
from lapstrake.artifact.builders.root import RootBuilder
from lapstrake.errors import BranchError, BuildError, DependencyError, UsageError
from lapstrake.layer.store import Layer
from lapstrake.names import GuestPath
from lapstrake.place.workplace import Workplace
from roots import run_cli

_MANIFEST = """
[package]
name = "tiny"
type = "system"
version = "1.0"
checksum = ["lapstrake.toml"]
[platform]
build = '''
mkdir -p tree private; echo x >> tree/f; chmod 700 private; echo secret > private/s
chown 33:33 private tree/f; chmod 600 tree/f; ln -sf f tree/link
'''
archive = "cp -a private tree"
output = "tree"
[runner]
name = "root"
branch = "stable"
"""


@pytest.fixture
def subject(warm_place: Workplace, tmp_path: Path) -> Subject:
    return Subject(name="root", builder=RootBuilder(warm_place), folder=tmp_path, spec=RunnerSpec())


def _layers(place: Workplace) -> list[Layer]:
    return [layer for layer in place.store.layers() if layer.kind == KIND]


def test_the_build_directory_is_one_layer_that_goes_on(
    subject: Subject, warm_place: Workplace
) -> None:
    package = subject.script(
        "test -e big || head -c 300000 /dev/zero > big; echo x >> tree/f\n"
        "rm -f gone*; touch gone$(wc -l < tree/f)"
    )
    job = subject.job(package)
    subject.builder.build(job)
    first = KeptBuild(warm_place.store, job)
    assert first.layer is not None
    assert first.work is not None
    big = (first.work / "big").stat().st_ino

    assert contents(subject.builder.build(job)) == {"f": "x\nx\n"}
    second = KeptBuild(warm_place.store, job)
    assert second.work is not None
    assert second.layer != first.layer
    assert (second.work / "big").stat().st_ino == big  # no copy
    assert len(list(second.work.glob("gone*"))) == 1
    assert _layers(warm_place) == [second.layer]  # the former one is gone
    assert [entry.name for entry in _layers(warm_place)[0].tree.iterdir()] == ["nerves"]

    warm_place.store.remove(_layers(warm_place)[0])  # as a collection may
    assert contents(subject.builder.build(job)) == {"f": "x\n"}
    subject.builder.clean(job)
    assert _layers(warm_place) == []


def test_steps_reach_the_network_only_when_they_may(subject: Subject) -> None:
    script = "cut -d: -f1 /proc/net/dev | tail -n +3 | sort > tree/devices; id -u >> tree/devices"
    package = subject.script(script)

    def seen(network: bool | None) -> list[str]:
        job = subject.job(replace(package, runner=replace(package.runner, network=network)))
        return contents(subject.builder.build(job))["devices"].split()

    assert seen(None) == ["lo", "0"]
    assert seen(True) == ["lo", "tap0", "0"]


def test_volumes_are_kept_and_what_else_is_written_is_not(subject: Subject) -> None:
    package = subject.script("echo x >> /cc/n; echo x >> /etc/n; cp /cc/n tree/c; cp /etc/n tree/e")
    volumes = {"ccache": GuestPath("/cc")}
    job: Job = subject.job(replace(package, runner=RunnerSpec(volumes=volumes)))
    subject.builder.build(job)
    assert contents(subject.builder.build(job)) == {"c": "x\nx\n", "e": "x\n"}


def test_what_replaces_the_build_directory_is_refused(
    subject: Subject, warm_place: Workplace
) -> None:
    good = subject.job(subject.script("echo good > tree/f"))
    subject.builder.build(good)
    evil = subject.script("cd /; rm -rf /nerves/build; ln -s /etc /nerves/build", archive=":")
    with pytest.raises(BuildError):
        subject.builder.build(replace(good, package=evil))
    kept = KeptBuild(warm_place.store, good)
    assert kept.work is not None
    assert (kept.work / "tree/f").read_text() == "good\n"  # what was kept before still is
    assert len(_layers(warm_place)) == 1


def test_roots_that_cannot_be_made_are_explained(subject: Subject) -> None:
    package = subject.script("true")
    for runner, error, why in (
        (RunnerSpec(packages=("no-such-package",)), DependencyError, "no-such-package"),
        (RunnerSpec(branch="nope"), BranchError, "nope"),
        (RunnerSpec(branch="../x"), UsageError, "is not a branch name"),
    ):
        with pytest.raises(error, match=why):
            subject.builder.build(subject.job(replace(package, runner=runner)))


def test_an_unprivileged_user_builds_too(rootless_work_dir: tuple[str, Path]) -> None:
    user, shared = rootless_work_dir
    account = pwd.getpwnam(user)
    project = shared / "project"
    project.mkdir()
    (project / "lapstrake.toml").write_text(_MANIFEST)
    os.chown(project, account.pw_uid, account.pw_gid)

    def run(*words: str) -> str:
        done = run_cli("artifact", *words, work_dir=shared, user=user, cwd=project)
        assert done.ok, done.stderr
        return done.stdout

    try:
        run("build")
        run("build", "--force")
        archive = Path(run("archive").strip())
        assert contents(archive) == {"f": "x\nx\n", "link": "-> f", "private/s": "secret\n"}
        run("clean", "--all")
    finally:
        shutil.rmtree(project)
