"""One suite for all builders; one that cannot be used here is skipped with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from builder_subjects import Subject
from engines import import_image, remove_volumes
from lapstrake.artifact.base import RunnerSpec
from lapstrake.artifact.builders.docker import DockerBuilder
from lapstrake.artifact.builders.local import LocalBuilder
from lapstrake.artifact.builders.root import RootBuilder
from roots import clone, open_work_dir
from runner_subjects import make_root, put_program

NAMES = ("local", "root-userns", "root-nspawn", "docker", "podman")
IMAGE = "localhost/lapstrake-test/make:1"
_FOR_PODMAN = {
    "test_archives_that_are_not_taken",
    "test_steps_see_what_they_need_and_change_nothing_else",
    "test_nothing_of_a_build_that_ends_early_lives_on",
    "test_a_shell_is_where_the_build_is",
}
"""Podman differs from docker in a few words of its client only: these use all of them."""
_FOR_LOCAL = {"test_a_failed_preparation_is_heeded"}
"""What a platform's script does, whatever runs it."""


@pytest.fixture(scope="session")
def root_work_dir(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder for all tests of the builder ``root``: make is installed only once."""
    return clone(base_work_dir, tmp_path_factory.mktemp("roots") / "work")


@pytest.fixture(scope="session")
def image_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What containers are made of: busybox, and make."""
    folder = tmp_path_factory.mktemp("images") / "root"
    lack = make_root(folder)
    if lack:
        pytest.skip(lack)
    put_program(folder, "make")
    return folder


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each builder in turn."""
    test = metafunc.function.__name__
    names = [name for name in NAMES if test in _FOR_PODMAN or name != "podman"]
    for fixture in {"subject", "built"}.intersection(metafunc.fixturenames):
        metafunc.parametrize(fixture, ["local"] if test in _FOR_LOCAL else names, indirect=True)


@pytest.fixture
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Each builder in turn."""
    with _opened(request, tmp_path) as subject:
        yield subject


@pytest.fixture(scope="module")
def built(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subject]:
    """Each builder in turn, which has built ``tree/f``: archiving does not build again."""
    with _opened(request, tmp_path_factory.mktemp("built")) as subject:
        subject.builder.build(subject.job(subject.script("echo good > tree/f"))).unlink()
        yield subject


@contextmanager
def _opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[Subject]:
    """The builder that is asked for, in a folder of its own."""
    if request.param not in {"docker", "podman"}:
        yield _rooted(request, folder)
        return
    if request.param == "docker":
        environment = {"DOCKER_HOST": request.getfixturevalue("docker_daemon")}
    else:
        environment = request.getfixturevalue("podman_settings")
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            patch.setenv(variable, value)
        import_image(request.param, request.getfixturevalue("image_root"), IMAGE)
        yield Subject(
            name=request.param,
            builder=DockerBuilder(request.param),
            folder=folder,
            spec=RunnerSpec(tag=IMAGE),
            environment=environment,
        )
        remove_volumes(request.param, folder)


def _rooted(request: pytest.FixtureRequest, folder: Path) -> Subject:
    """A builder without an engine."""
    name, _, runner = request.param.partition("-")
    if name == "local":
        made = Subject(
            name=name, builder=LocalBuilder(), folder=folder, spec=RunnerSpec(), isolates=False
        )
    else:
        place = open_work_dir(request.getfixturevalue("root_work_dir"), runner=runner)
        made = Subject(
            name=request.param,
            builder=RootBuilder(place),
            folder=folder,
            spec=RunnerSpec(packages=("make",), branch="stable"),
        )
    lacks = [lack.what for lack in made.builder.probe() if lack.blocks]
    if lacks:
        pytest.skip(f"{request.param}: {lacks[0]}")
    return made
