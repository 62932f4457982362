"""Projects: a package or an application, and all that it depends on."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.artifact.base import Origin, Project
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.manifest.project import read_project
from lapstrake.config.model import CacheConfig, Config
from lapstrake.errors import ChecksumError, FetchError, LapstrakeError, ProjectError, UnpackError
from lapstrake.host.files import TEMPORARY
from lapstrake.host.process import run


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    return depot_at(tmp_path / "work")


def depot_at(work: Path) -> Depot:
    config = Config(work_dir=work, cache=CacheConfig(download_dir=work / "downloads"))
    return Depot(config=config, environment={})


def package(name: str, type_: str = "package", *more: str) -> str:
    lines = ["[package]", f'name = "{name}"', f'type = "{type_}"', 'version = "1"', *more]
    return "\n".join(lines) + "\n"


def app(*more: str) -> str:
    return "\n".join(["[project]", 'name = "app"', *more]) + "\n"


def on(name: str, *more: str) -> str:
    """A dependency on the folder of that name, beside."""
    return "\n".join([f"[dependencies.{name}]", *(more or (f'path = "../{name}"',))])


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name / "lapstrake.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def names(project: Project) -> list[str]:
    return [each.name for each in project.packages]


def refusal(folder: Path, depot: Depot) -> ProjectError:
    with pytest.raises(ProjectError) as caught:
        read_project(folder, depot=depot)
    return caught.value


def test_an_application_with_all_that_it_needs(tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {
            "app": app('target = "arm-linux"', "[env]", 'A = "1"', on("sys")),
            "sys": package("sys", "system", on("tc"), on("br")),
            "tc": package("tc", "toolchain", on("ctng")),
            "br": package("br", "system_platform"),
            "ctng": package("ctng", "toolchain_platform"),
        },
    )
    (tmp_path / "app" / "src" / "deep").mkdir(parents=True)
    project = read_project(tmp_path / "app" / "src" / "deep", depot=depot)
    assert (project.name, project.version, project.target) == ("app", "0", "arm-linux")
    assert (project.folder, project.file) == (tmp_path / "app", tmp_path / "app/lapstrake.toml")
    assert project.env == {"A": "1"}
    assert sorted(names(project)) == ["br", "ctng", "sys", "tc"]
    assert names(project).index("ctng") < names(project).index("tc") < names(project).index("sys")
    assert project.system is project.package("sys")
    assert project.toolchain is project.package("tc")
    assert {each.origin for each in project.packages} == {Origin.PATH}
    assert {each.folder for each in project.packages} == {
        tmp_path / name for name in ("sys", "tc", "br", "ctng")
    }


def test_a_package_is_a_project_of_its_own_and_comes_last(tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {
            "sys": package("sys", "system", 'target = "a-b"', on("tc")),
            "tc": package("tc", "toolchain", 'target = "c-d"'),
        },
    )
    project = read_project(tmp_path / "sys", depot=depot)
    assert names(project) == ["tc", "sys"]
    assert [each.origin for each in project.packages] == [Origin.PATH, Origin.PROJECT]
    assert project.target == "a-b"
    assert [each.build_allowed for each in project.packages] == [False, True]


def test_who_may_be_built(tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {
            "app": app(
                on("a"), on("b", 'path = "../b"', "build = true"), on("c"),
                "[overrides.b]", "build = false", "[overrides.c]", "build = true",
            ),
            "a": package("a", "package", on("d", 'path = "../d"', "build = true")),
            "b": package("b"),
            "c": package("c"),
            "d": package("d"),
        },
    )  # fmt: skip
    project = read_project(tmp_path / "app", depot=depot)
    allowed = {each.name: each.build_allowed for each in project.packages}
    assert allowed == {"a": False, "b": False, "c": True, "d": True}


def test_one_name_is_one_package(tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {
            "app": app(on("a"), on("b")),
            "a": package("a", "package", on("c")),
            "b": package("b", "package", on("c", 'path = "../other"')),
            "c": package("c"),
            "other": package("c"),
        },
    )
    error = refusal(tmp_path / "app", depot)
    assert "there are two packages of the name c" in error.brief
    assert f"{tmp_path}/a/lapstrake.toml:5: dependencies.c: " in error.details
    assert f"{tmp_path}/b/lapstrake.toml:5: dependencies.c: " in error.details
    top = tmp_path / "app" / "lapstrake.toml"
    top.write_text(top.read_text() + '[overrides.c]\npath = "../other"\n')
    project = read_project(tmp_path / "app", depot=depot)
    found = project.package("c")
    assert found is not None
    assert found.folder == tmp_path / "other"
    # The same folder by two ways is one source.
    (tmp_path / "link").symlink_to(tmp_path / "c")
    top.write_text(app(on("a"), on("c", 'path = "../link"')))
    assert names(read_project(tmp_path / "app", depot=depot)) == ["c", "a"]


def test_circles_are_named(tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {
            "app": app(on("a")),
            "a": package("a", "package", on("b")),
            "b": package("b", "package", on("c")),
            "c": package("c", "package", on("a")),
            "own": package("own", "package", on("own")),
        },
    )
    error = refusal(tmp_path / "app", depot)
    assert "dependencies go in circles: " in error.brief
    circle = error.brief.rpartition(": ")[2].split(" -> ")
    assert circle[0] == circle[-1]
    assert sorted(circle[1:]) == ["a", "b", "c"]
    assert "circles: own -> own" in refusal(tmp_path / "own", depot).brief


@pytest.mark.parametrize("kind", ["system", "toolchain"])
def test_a_second_system_or_toolchain(kind: str, tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {"app": app(on("a"), on("b")), "a": package("a", kind), "b": package("b", kind)},
    )
    error = refusal(tmp_path / "app", depot)
    assert f"at most one {kind}, here are 2: a, b" in error.brief
    assert f"b: {tmp_path}/app/lapstrake.toml:5: dependencies.b" in error.details


def test_a_target_needs_a_system(tmp_path: Path, depot: Depot) -> None:
    write(
        tmp_path,
        {"app": app('target = "arm-linux"', on("a")), "a": package("a", "toolchain")},
    )
    error = refusal(tmp_path / "app", depot)
    assert ":3: project.target: the target is arm-linux, but no dependency is a system" in str(
        error
    )


def test_platforms_hand_down_their_commands(tmp_path: Path, depot: Depot) -> None:
    commands = '[platform]\nprepare = "p"\nbuild = ["b", ["two words", "x"]]\noutput = "out"\n'
    write(
        tmp_path,
        {
            "sys": package("sys", "system", "[platform]", 'prepare = "own"', on("br"), on("tc")),
            "tc": package("tc", "toolchain", "[platform]", 'build = "c"', on("ctng")),
            "br": package("br", "system_platform", commands),
            "ctng": package("ctng", "toolchain_platform"),
        },
    )
    project = read_project(tmp_path / "sys", depot=depot)
    system, toolchain = project.system, project.toolchain
    assert system is not None
    assert toolchain is not None
    assert system.platform is not None
    assert (system.platform.prepare, system.platform.build) == ("own", "b\n'two words' x")
    assert (system.platform.name, system.platform.output) == ("script", "out")
    assert project.platform_of(system) is project.package("br")
    assert project.platform_of(toolchain) is project.package("ctng")


PLATFORMS = [
    ('[platform]\npackage = "br"\n', {}, "platform.package: br is no dependency of sys"),
    (
        '[platform]\npackage = "a"\n' + on("a"),
        {"a": package("a")},
        "platform.package: a is of the type package",
    ),
    (
        "[platform]\n" + on("a") + "\n" + on("b"),
        {"a": package("a", "system_platform"), "b": package("b", "system_platform")},
        "platform: sys depends on several platforms: a, b",
    ),
    ("[platform]\n", {}, "platform: there is nothing to run"),
    ('[platform]\nname = "buildroot"\n', {}, "platform: buildroot needs a defconfig"),
    (
        '[platform]\nname = "buildroot"\ndefconfig = "lapstrake.toml"\n',
        {},
        "platform: buildroot needs the package that brings it",
    ),
]


@pytest.mark.parametrize(("more", "others", "message"), PLATFORMS)
def test_platforms_that_cannot_build(
    more: str, others: Mapping[str, str], message: str, tmp_path: Path, depot: Depot
) -> None:
    write(tmp_path, {"sys": package("sys", "system", more), **others})
    error = refusal(tmp_path / "sys", depot)
    assert error.brief.startswith(f"{tmp_path}/sys/lapstrake.toml:")
    assert message in error.brief


DEPENDENCIES = [
    ({}, "../a is no folder"),
    ({"a/x": ""}, "../a has no lapstrake.toml"),
    ({"a": app()}, "is a project, not a package"),
    ({"a": package("b")}, "is called b"),
    ({"a": '[package]\nname = "a"\n'}, "/a/lapstrake.toml:1: package: the key package.type is"),
    ({"a": package("a", "package", "x = 1")}, "/a/lapstrake.toml:5: unknown key package.x"),
]


@pytest.mark.parametrize(("others", "message"), DEPENDENCIES)
def test_dependencies_that_are_none(
    others: Mapping[str, str], message: str, tmp_path: Path, depot: Depot
) -> None:
    write(tmp_path, {"app": app(on("a")), **others})
    assert message in refusal(tmp_path / "app", depot).brief


def test_overrides_of_what_nobody_needs(tmp_path: Path, depot: Depot) -> None:
    write(tmp_path, {"app": app(on("abc"), "[overrides.abd]"), "abc": package("abc")})
    error = refusal(tmp_path / "app", depot)
    assert ":5: overrides.abd: nothing depends on abd, did you mean abc?" in error.brief


def test_no_project_at_all(tmp_path: Path, depot: Depot) -> None:
    assert "neither" in refusal(tmp_path, depot).brief


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: files of other users")
def test_a_project_that_somebody_else_left_around_us(tmp_path: Path, depot: Depot) -> None:
    write(tmp_path, {".": app()})
    (tmp_path / "ours").mkdir()
    os.chown(tmp_path / "lapstrake.toml", 4321, 4321)
    assert "belongs to another user" in refusal(tmp_path / "ours", depot).brief
    assert read_project(tmp_path, depot=depot).name == "app"  # we went there
    os.chown(tmp_path / "ours", 4321, 4321)
    assert read_project(tmp_path / "ours", depot=depot).name == "app"  # all theirs


# --- what is fetched ------------------------------------------------------------------------------


def git_repository(folder: Path, files: Mapping[str, str]) -> str:
    """Make a repository with a tag v1; gives the commit."""
    write(folder, files)
    git = ["git", "-C", str(folder), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"], ["tag", "v1"]):
        run([*git, *words], timeout=60, error=FetchError, doing="git")
    done = run([*git, "rev-parse", "HEAD"], timeout=60, error=FetchError, doing="git")
    return done.stdout.decode().strip()


def archive(file: Path, members: Mapping[str, str]) -> str:
    """Write an archive; gives its SHA-256."""
    with tarfile.open(file, "w:gz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            if text.startswith("->"):
                info.type, info.linkname = tarfile.SYMTYPE, text[2:]
                tar.addfile(info)
            else:
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_fetched_packages_are_kept_and_used_offline(tmp_path: Path, depot: Depot) -> None:
    commit = git_repository(
        tmp_path / "repository",
        {".": package("a", "package", on("b", 'path = "sub/b"')), "sub/b": package("b")},
    )
    sha256 = archive(tmp_path / "c.tar.gz", {"c-1/lapstrake.toml": package("c")})
    write(
        tmp_path,
        {
            "app": app(
                on("a", 'git = "../repository"', 'tag = "v1"'),
                on("c", 'url = "../c.tar.gz"', f'sha256 = "{sha256}"'),
            )
        },
    )
    project = read_project(tmp_path / "app", depot=depot)
    assert sorted(names(project)) == ["a", "b", "c"]
    assert {each.origin for each in project.packages} == {Origin.FETCHED}
    assert all(each.folder.is_relative_to(depot.packages) for each in project.packages)
    assert not list(depot.packages.glob(f"{TEMPORARY}*"))
    # Nobody is asked again.
    run(["rm", "-rf", tmp_path / "repository", tmp_path / "c.tar.gz"],
        timeout=60, error=FetchError, doing="rm")  # fmt: skip
    assert read_project(tmp_path / "app", depot=depot, offline=True) == project
    # By its commit it is another request, which nobody answers now.
    top = tmp_path / "app" / "lapstrake.toml"
    top.write_text(top.read_text().replace('tag = "v1"', f'revision = "{commit}"'))
    again = read_project(tmp_path / "app", depot=depot)  # the tree itself is in the cache
    assert sorted(names(again)) == ["a", "b", "c"]


def test_many_at_once_fetch_once(tmp_path: Path, depot: Depot) -> None:
    sha256 = archive(tmp_path / "a.tar.gz", {"a-1/lapstrake.toml": package("a")})
    write(tmp_path, {"app": app(on("a", 'url = "../a.tar.gz"', f'sha256 = "{sha256}"'))})
    left = depot.packages / f"{TEMPORARY}a-left-by-a-killed-process"
    left.mkdir(parents=True)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: read_project(tmp_path / "app", depot=depot), range(4)))
    assert found == [found[0]] * 4
    assert len(list(depot.packages.glob("a-*"))) == 1
    assert not left.exists()


def test_a_package_below_what_is_fetched(tmp_path: Path, depot: Depot) -> None:
    git_repository(
        tmp_path / "repository",
        {"packages/one": package("one", "package", on("two")), "packages/two": package("two")},
    )
    one = on("one", 'git = "../repository"', 'tag = "v1"', 'folder = "packages/one"')
    write(tmp_path, {"app": app(one)})
    project = read_project(tmp_path / "app", depot=depot)
    assert names(project) == ["two", "one"]
    write(tmp_path, {"app": app(one.replace('folder = "packages/one"', 'folder = "none"'))})
    error = refusal(tmp_path / "app", depot)
    assert ":3: dependencies.one: " in error.brief
    assert "folder none is no folder" in error.brief


FROM_FILE = package("a").replace('version = "1"', 'version_file = "VERSION"')
OUTSIDE = package("a", "package", on("b", 'path = "../../../outside"'))
FETCHED: list[tuple[Mapping[str, str], type[LapstrakeError], str]] = [
    ({"a/readme": "x"}, ProjectError, "has no lapstrake.toml"),
    ({"lapstrake.toml": OUTSIDE}, ProjectError, "leads out of what was fetched"),
    ({"../evil": "x"}, UnpackError, ":3: dependencies.a: a: entry '../evil'"),
    ({"l": "->/etc", "l/x": "", "lapstrake.toml": package("a")}, UnpackError, "dependencies.a"),
    ({"lapstrake.toml": "->/etc/passwd"}, ProjectError, "leads out of what was fetched"),
    (
        {"lapstrake.toml": FROM_FILE, "VERSION": "->/etc/hostname"},
        ProjectError,
        ":4: package.version_file: ",
    ),
]


@pytest.mark.parametrize(("members", "kind", "message"), FETCHED)
def test_what_is_wrong_with_fetched_packages(
    members: Mapping[str, str],
    kind: type[LapstrakeError],
    message: str,
    tmp_path: Path,
    depot: Depot,
) -> None:
    sha256 = archive(tmp_path / "a.tar.gz", members)
    write(
        tmp_path,
        {
            "app": app(on("a", 'url = "../a.tar.gz"', f'sha256 = "{sha256}"')),
            "outside": package("b"),
        },
    )
    with pytest.raises(kind) as caught:
        read_project(tmp_path / "app", depot=depot)
    assert message in caught.value.brief
    if kind is UnpackError:
        assert not list(depot.packages.glob("a-*"))


def test_links_of_root_filesystems_are_no_obstacle(tmp_path: Path, depot: Depot) -> None:
    members = {"a-1/lapstrake.toml": package("a"), "a-1/overlay/var": "->/data/var"}
    sha256 = archive(tmp_path / "a.tar.gz", members)
    write(tmp_path, {"app": app(on("a", 'url = "../a.tar.gz"', f'sha256 = "{sha256}"'))})
    (found,) = read_project(tmp_path / "app", depot=depot).packages
    assert (found.folder / "overlay" / "var").readlink() == Path("/data/var")


COMMANDS = ["ext::sh -c touch% x", "--upload-pack=touch x", "https://-x/y"]


@pytest.mark.parametrize("url", COMMANDS)
def test_no_command_is_hidden_in_an_address(url: str, tmp_path: Path, depot: Depot) -> None:
    write(tmp_path, {"app": app(on("a", f'git = "{url}"', 'tag = "v1"'))})
    with pytest.raises(FetchError, match="is no URL of a repository"):
        read_project(tmp_path / "app", depot=depot)


def test_what_cannot_be_fetched(tmp_path: Path, depot: Depot) -> None:
    archive(tmp_path / "a.tar.gz", {"lapstrake.toml": package("a")})
    a = on("a", 'url = "../a.tar.gz"', f'sha256 = "{"0" * 64}"')
    write(tmp_path, {"app": app(a)})
    with pytest.raises(ChecksumError):
        read_project(tmp_path / "app", depot=depot)
    write(tmp_path, {"app": app(a.replace("../a.tar.gz", "https://nowhere.invalid/a"))})
    with pytest.raises(FetchError, match=r"app/lapstrake.toml:3: dependencies.a"):
        read_project(tmp_path / "app", depot=depot, offline=True)


# --- any graph ------------------------------------------------------------------------------------

NODES = "abcdef"


@given(st.sets(st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)), max_size=10))
@settings(max_examples=30)
def test_packages_come_behind_what_they_need(edges: set[tuple[str, str]]) -> None:
    from tempfile import TemporaryDirectory

    needs = {node: sorted(other for one, other in edges if one == node) for node in NODES}
    with TemporaryDirectory() as name:
        top = Path(name)
        files = {node: package(node, "package", *map(on, needs[node])) for node in NODES}
        write(top, {"app": app(*map(on, NODES)), **files})
        try:
            order = names(read_project(top / "app", depot=depot_at(top / "work")))
        except ProjectError as refused:
            circle = refused.brief.rpartition(": ")[2].split(" -> ")
            assert all(pair in edges for pair in pairwise(circle))
            return
    assert sorted(order) == list(NODES)
    assert all(order.index(other) < order.index(one) for one, other in edges)
