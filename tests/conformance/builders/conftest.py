"""One suite for all builders; one that cannot be used here is skipped with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder_subjects import Subject
from engines import import_image, remove_volumes
from lapstrake.artifact.base import RunnerSpec
from lapstrake.artifact.making.docker import DockerBuilder
from lapstrake.artifact.making.local import LocalBuilder
from lapstrake.artifact.making.root import RootBuilder
from roots import clone, open_work_dir
from runner_subjects import make_root, put_program

NAMES = ("local", "root-userns", "root-nspawn", "docker", "podman")
IMAGE = "localhost/lapstrake-test/make:1"
_FOR_PODMAN = {
    "test_a_build_ends_as_an_archive_and_goes_on_the_next_time",
    "test_what_a_hostile_build_leaves_is_not_taken",
    "test_steps_see_what_they_need_by_variables",
    "test_buildroots_flow",
    "test_nothing_of_a_build_that_ends_early_lives_on",
    "test_a_shell_is_where_the_build_is",
}
"""Podman differs from docker in a few words of its client only: these use all of them."""


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
    if "subject" in metafunc.fixturenames:
        every = metafunc.function.__name__ in _FOR_PODMAN
        names = [name for name in NAMES if every or name != "podman"]
        metafunc.parametrize("subject", names, indirect=True)


@pytest.fixture
def subject(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Subject]:
    """Each builder in turn."""
    if request.param in {"docker", "podman"}:
        environment = {}
        if request.param == "docker":
            environment["DOCKER_HOST"] = request.getfixturevalue("docker_daemon")
        else:
            environment |= request.getfixturevalue("podman_settings")
        for variable, value in environment.items():
            monkeypatch.setenv(variable, value)
        import_image(request.param, request.getfixturevalue("image_root"), IMAGE)
        yield Subject(
            name=request.param,
            builder=DockerBuilder(request.param),
            folder=tmp_path,
            spec=RunnerSpec(tag=IMAGE),
            environment=environment,
        )
        remove_volumes(request.param, tmp_path)
    else:
        yield _rooted(request, tmp_path)


def _rooted(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    """A builder without an engine."""
    name, _, runner = request.param.partition("-")
    if name == "local":
        made = Subject(
            name=name, builder=LocalBuilder(), folder=tmp_path, spec=RunnerSpec(), isolates=False
        )
    else:
        place = open_work_dir(request.getfixturevalue("root_work_dir"), runner=runner)
        made = Subject(
            name=request.param,
            builder=RootBuilder(place),
            folder=tmp_path,
            spec=RunnerSpec(packages=("make",), branch="stable"),
        )
    lacks = [lack.what for lack in made.builder.probe() if lack.blocks]
    if lacks:
        pytest.skip(f"{request.param}: {lacks[0]}")
    return made
