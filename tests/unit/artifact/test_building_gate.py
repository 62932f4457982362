"""What may be built: the gate before hours of building, as a table; defaults of builders."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from lapstrake.artifact.base import (
    Dependency,
    FolderSite,
    Origin,
    Package,
    PackageType,
    Platform,
    Project,
    RunnerSpec,
)
from lapstrake.artifact.builders.choose import default_name
from lapstrake.artifact.building.gate import Wish, wishes_of
from lapstrake.artifact.building.jobs import needed_by
from lapstrake.errors import UsageError

_SITE = FolderSite(path=Path("/archives"))


def _package(name: str, *needs: str, **fields: object) -> Package:
    facts: dict[str, object] = {
        "name": name, "type": PackageType.PACKAGE, "version": "1", "folder": Path("/", name),
        "origin": Origin.FETCHED, "platform": Platform(),
        "dependencies": tuple(Dependency(name=each, source=Path("/")) for each in needs),
    }  # fmt: skip
    return Package(**{**facts, **fields})  # type: ignore[arg-type]


def _project(*packages: Package) -> Project:
    return Project(name="app", version="1", folder=Path("/app"), packages=packages)


@pytest.mark.parametrize(
    ("named", "top", "sites", "opt_in", "able"), list(itertools.product((False, True), repeat=5))
)
def test_the_gate(named: bool, top: bool, sites: bool, opt_in: bool, able: bool) -> None:
    """Row H11: blocked are those that have sites and that nobody allowed, in any way."""
    package = _package(
        "system",
        origin=Origin.PROJECT if top else Origin.FETCHED,
        sites=(_SITE,) if sites else (),
        build_allowed=opt_in,
        platform=Platform() if able else None,
    )
    names = ["system"] if named else []
    if named and not able:
        with pytest.raises(UsageError, match="says nothing of how it is built"):
            wishes_of(_project(package), names)
        return
    wishes = wishes_of(_project(package), names)
    if not able and not sites:
        assert wishes == ()  # it has no artifact
        return
    (wish,) = wishes
    assert wish.asked == (able and (named or top))
    assert wish.allowed == (able and (named or top or opt_in or not sites))


def test_what_is_named_comes_with_what_it_needs_in_order() -> None:
    machinery = _package("machinery", type=PackageType.SYSTEM_PLATFORM, platform=None)
    gcc = _package("gcc", type=PackageType.TOOLCHAIN, sites=(_SITE,))
    system = _package("system", "gcc", "machinery", type=PackageType.SYSTEM)
    library = _package("library", platform=None)
    tool = _package("tool", "library")
    project = _project(machinery, gcc, system, library, tool)

    assert wishes_of(project, ["system"]) == (
        Wish(package=gcc, asked=False),
        Wish(package=system, asked=True),
    )
    assert [wish.package.name for wish in wishes_of(project, [])] == ["gcc", "system", "tool"]
    assert [each.name for each in needed_by(project, system)] == ["machinery", "gcc"]
    for name, why in (("machinery", "it has no artifact"), ("nope", "has no package 'nope'")):
        with pytest.raises(UsageError, match=why):
            wishes_of(project, [name])


def test_what_is_needed_by_what_is_needed_is_needed_too() -> None:
    project = _project(_package("a"), _package("b", "a"), _package("c", "b"), _package("d"))
    assert [each.name for each in needed_by(project, project.packages[2])] == ["a", "b"]


@pytest.mark.parametrize(
    ("type_", "runner", "host", "expected"),
    [
        (PackageType.SYSTEM, RunnerSpec(), "linux", "local"),
        (PackageType.SYSTEM, RunnerSpec(), "darwin", "docker"),
        (PackageType.TOOLCHAIN, RunnerSpec(), "darwin", "local"),
        (PackageType.PACKAGE, RunnerSpec(), "linux", "local"),
        (PackageType.SYSTEM, RunnerSpec(tag="x:1"), "linux", "docker"),
        (PackageType.SYSTEM, RunnerSpec(dockerfile="Dockerfile"), "linux", "docker"),
        (PackageType.SYSTEM, RunnerSpec(packages=("make",)), "linux", "root"),
        (PackageType.SYSTEM, RunnerSpec(name="root", tag="x:1"), "darwin", "root"),
    ],
)
def test_the_builder_of_a_package(
    type_: PackageType, runner: RunnerSpec, host: str, expected: str
) -> None:
    assert default_name(_package("p", type=type_, runner=runner), host=host) == expected
