"""One suite for all builders; one that cannot be used here is skipped with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder_subjects import Subject
from lapstrake.artifact.base import RunnerSpec
from lapstrake.artifact.making.local import LocalBuilder
from lapstrake.artifact.making.root import RootBuilder
from roots import clone, open_work_dir

NAMES = ("local", "root-userns", "root-nspawn")


@pytest.fixture(scope="session")
def root_work_dir(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder for all tests of the builder ``root``: make is installed only once."""
    return clone(base_work_dir, tmp_path_factory.mktemp("roots") / "work")


@pytest.fixture(params=NAMES)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """Each builder in turn."""
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
    yield made
