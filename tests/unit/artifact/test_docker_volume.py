"""The id of a volume, and the image of a package."""

from __future__ import annotations

import os
import re
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder_subjects import Subject
from lapstrake.artifact.base import RunnerSpec
from lapstrake.artifact.builders.docker import DockerBuilder
from lapstrake.artifact.builders.image import wanted_image
from lapstrake.artifact.builders.volume import (
    ID_FILE,
    build_volume,
    folder_of,
    give_id,
    place_name,
    read_id,
)
from lapstrake.errors import ArtifactError, ProjectError, StoreError


@pytest.fixture
def subject(tmp_path: Path) -> Subject:
    return Subject(name="docker", builder=DockerBuilder(), folder=tmp_path, spec=RunnerSpec())


def test_an_id_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "tiny"
    assert read_id(folder) == ""
    made = give_id(folder)
    assert len(set(made)) == len(made) == 16
    assert set(made) <= set(string.ascii_letters + string.digits + "_")
    assert (give_id(folder), read_id(folder)) == (made, made)
    (folder / ID_FILE).write_text(f"  {made}\n")  # an editor's newline
    assert give_id(folder) == made
    (folder / ID_FILE).write_text("\n")
    assert give_id(folder) != made
    assert give_id(tmp_path / "other") != give_id(folder)


def test_an_id_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / ID_FILE).write_text("two words")
    with pytest.raises(ArtifactError, match="holds no id"):
        give_id(tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(StoreError, match="writing"):
        give_id(file)


def test_volumes_are_named_by_package_and_id(subject: Subject) -> None:
    job = subject.job(subject.package(name="my_app+x"))
    assert build_volume(job, "abc") == "my_app_x-abc"


def test_the_image_is_the_packages_own_else_its_platforms(subject: Subject) -> None:
    job = subject.job(subject.package())
    platform = replace(job.package, name="nerves_system_br", version="1.28.0")
    with pytest.raises(ProjectError, match="no image is named"):
        wanted_image(job, "example.org/images")
    with pytest.raises(ProjectError, match="no image is named"):
        wanted_image(replace(job, platform=platform), "")
    named = wanted_image(replace(job, platform=platform), "example.org/images")
    assert named.tag == "example.org/images/nerves_system_br:1.28.0"
    own = replace(job, package=subject.package(runner=RunnerSpec(tag="a/b:c")), platform=platform)
    assert wanted_image(own, "example.org/images").tag == "a/b:c"


def test_an_image_of_our_own_is_named_by_what_it_is_built_from(subject: Subject) -> None:
    package = subject.package(runner=RunnerSpec(dockerfile="images/Build.docker"))
    job = subject.job(package)
    with pytest.raises(ProjectError, match=r"Build.docker is not there"):
        wanted_image(job, "")
    folder = package.folder / "images"
    folder.mkdir()
    (folder / "Build.docker").write_text("FROM scratch\n")
    first = wanted_image(job, "")
    assert (first.ours, first.dockerfile) == (True, folder / "Build.docker")
    assert wanted_image(job, "") == first
    (folder / "setup.sh").write_text("beside it")
    second = wanted_image(job, "")
    (folder / "setup.sh").chmod(0o755)
    third = wanted_image(job, "")
    assert len({first.tag, second.tag, third.tag}) == 3
    tagged = replace(job, package=replace(package, runner=replace(package.runner, tag="mine:1")))
    assert wanted_image(tagged, "") == replace(third, tag="mine:1", ours=False)


def test_what_lies_beside_a_dockerfile_may_be_anything(subject: Subject) -> None:
    package = subject.package(runner=RunnerSpec(dockerfile="Dockerfile"))
    (package.folder / "Dockerfile").write_text("FROM scratch\n")
    (package.folder / "link").symlink_to("/nowhere")
    (package.folder / ".nerves").mkdir()
    job = subject.job(package)
    before = wanted_image(job, "")
    (package.folder / ".nerves" / "log").write_text("changes")
    assert wanted_image(job, "") == before
    (package.folder / "link").unlink()
    (package.folder / "link").symlink_to("/elsewhere")
    assert wanted_image(job, "") != before


@given(
    parts=st.lists(st.binary(min_size=1).filter(lambda part: not {0, 47} & set(part)), min_size=1)
)
def test_places_are_known_again_by_labels(parts: list[bytes]) -> None:
    folder = Path("/", *map(os.fsdecode, parts))
    name = place_name(folder)
    assert re.fullmatch("[0-9a-f]*:[!-+.-~-]*", name)  # podman's labels end at a comma
    assert folder_of(name) == (folder if name[0] != ":" else None)
    assert folder_of(f"other{name}") is None
