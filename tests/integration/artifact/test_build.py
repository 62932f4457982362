"""Building the artifacts of a project: order, what is stale, the gate, two at once, archives."""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import time
from dataclasses import replace
from pathlib import Path

import pytest

from builder_subjects import contents
from lapstrake.artifact.base import Project
from lapstrake.artifact.building.build import BuildRequest, Built, build_artifacts
from lapstrake.artifact.building.jobs import EPOCH
from lapstrake.artifact.building.workshop import clean, open_shell, write_archive
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.keeping.cache import ArtifactCache
from lapstrake.artifact.manifest.project import read_project
from lapstrake.config.load import load_config
from lapstrake.config.model import ArtifactsConfig
from lapstrake.errors import (
    ArtifactError,
    BuildError,
    ProjectError,
    RunnerError,
    StaleError,
    UsageError,
)
from lapstrake.host.process import find_program
from roots import Recorder, cli_command, cli_environment

_GCC = """
[package]
name = "gcc"
type = "toolchain"
version = "2.0"
checksum = ["lapstrake.toml", "source"]
[platform]
build = "echo '>>> building gcc'; mkdir -p out; cp $LAPSTRAKE_PACKAGE_DIR/source out/cc; echo x>>n"
archive = "cp n out"
output = "out"
"""
_SYSTEM = """
[package]
name = "sys"
type = "system"
version = "1.0"
checksum = ["lapstrake.toml"]
[platform]
package = "machinery"
build = "sh $LAPSTRAKE_PLATFORM_DIR/build.sh"
output = "out"
[dependencies.gcc]
path = "../gcc"
[dependencies.machinery]
path = "../machinery"
"""
_MACHINERY = '[package]\nname = "machinery"\ntype = "system_platform"\nversion = "1"\n'
_BUILD = 'mkdir -p out; cp "$NERVES_TOOLCHAIN/cc" out/made-with; '
_BUILD += 'while [ -n "${AWAITED:-}" ] && [ ! -e "$AWAITED" ]; do sleep 0.02; done\n'
_APP = """
[project]
name = "app"
version = "0.1"
[dependencies.sys]
path = "../sys"
"""
_SITE = '\n[[site]]\nfolder = "../site"\n'


class World:
    """Packages in folders beside each other, and a depot of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard = Recorder()
        for name in ("site", "work"):
            (folder / name).mkdir()
        self.write("gcc", _GCC, source="gcc 2\n")
        self.write("sys", _SYSTEM)
        self.write("machinery", _MACHINERY, **{"build.sh": _BUILD})
        self.write("app", _APP)
        downloads = str(folder / "downloads")
        settings = {"work_dir": str(folder / "work"), "cache.download_dir": downloads}
        self.depot = Depot(config=load_config(None, overrides=settings), environment={})

    def write(self, name: str, manifest: str, **files: str) -> None:
        (self.folder / name).mkdir(exist_ok=True)
        for file, text in {"lapstrake.toml": manifest, **files}.items():
            (self.folder / name / file).write_text(text)

    def project(self, name: str = "app") -> Project:
        return read_project(self.folder / name, depot=self.depot)

    def build(self, name: str = "app", **request: object) -> dict[str, Built]:
        wanted = BuildRequest(**request)  # type: ignore[arg-type]
        done = build_artifacts(self.project(name), wanted, self.depot, self.heard)
        return {built.package.name: built for built in done}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_needed_is_built_first_and_nothing_twice(world: World) -> None:
    done = world.build()
    assert list(done) == ["gcc", "sys"]
    assert (done["sys"].path / "made-with").read_text() == "gcc 2\n"
    assert "building gcc" in (done["gcc"].log or Path()).read_text()
    assert done["gcc"].archive == world.depot.downloads / done["gcc"].identity.file_name
    assert contents(done["gcc"].archive) == {"cc": "gcc 2\n", "n": "x\n"}

    assert [built.builder for built in world.build().values()] == ["", ""]
    (world.folder / "gcc/source").write_text("gcc 3\n")
    again = world.build()
    assert (again["gcc"].builder, again["sys"].builder) == ("local", "")
    assert (again["gcc"].path / "n").read_text() == "x\nx\n"  # its folder was still there
    assert done["gcc"].path.is_dir()  # the former inputs' artifact is another one

    forced = world.build("gcc", force=True)
    assert (forced["gcc"].path / "n").read_text() == "x\nx\nx\n"
    assert forced["gcc"].path == again["gcc"].path


def test_times_in_archives_are_the_same_for_all(world: World) -> None:
    def times() -> set[float]:
        archive = world.build("gcc", force=True)["gcc"].archive
        assert archive is not None
        with tarfile.open(archive) as tar:
            return {member.mtime for member in tar}

    assert times() == {EPOCH}
    world.write("gcc", _GCC + '[env]\nSOURCE_DATE_EPOCH = "1000000000"\n', source="gcc 2\n")
    assert times() == {1_000_000_000}
    world.depot = replace(world.depot, environment={"SOURCE_DATE_EPOCH": "500000000"})
    assert times() == {500_000_000}
    world.depot = replace(world.depot, environment={"SOURCE_DATE_EPOCH": "12abc"})
    with pytest.raises(ProjectError, match="'12abc' is no number"):
        times()


def test_hours_do_not_begin_unasked(world: World) -> None:
    world.write("gcc", _GCC + _SITE, source="gcc 2\n")
    world.write("sys", _SYSTEM + _SITE)
    with pytest.raises(StaleError) as caught:
        world.build()
    assert caught.value.brief == "not here, and not to be built unasked: gcc, sys"
    for text in ("gcc-linux_", ".tar.xz:", "sys-portable-1.0-", "site"):
        assert text in caught.value.details
    for text in ("artifact get gcc sys", str(world.depot.downloads), "[overrides.gcc]"):
        assert text in caught.value.resolution
    assert not world.heard.headlines or "building" not in " ".join(world.heard.headlines)

    with pytest.raises(StaleError) as caught:
        world.build(names=("sys",))
    assert caught.value.brief.endswith("unasked: gcc")
    world.write("app", _APP + "[overrides.gcc]\nbuild = true\n")
    done = world.build(names=("sys",))
    assert [built.builder for built in done.values()] == ["local", "local"]


def test_what_sites_have_is_not_built_unless_it_is_named(world: World) -> None:
    world.write("gcc", _GCC + _SITE, source="gcc 2\n")
    made = world.build(names=("gcc",))["gcc"]
    assert made.archive is not None
    made.archive.rename(world.folder / "site" / made.archive.name)
    clean(world.project(), ("gcc",), world.depot, world.heard)

    done = world.build(names=("sys",))
    assert (done["gcc"].builder, done["sys"].builder) == ("", "local")
    clean(world.project(), ("gcc",), world.depot, world.heard)
    (world.depot.downloads / made.archive.name).unlink()
    assert world.build(names=("gcc",))["gcc"].builder == "local"


def test_a_failed_build_leaves_the_artifact_that_was_there(world: World) -> None:
    before = world.build("gcc")["gcc"]
    assert before.archive is not None
    packed = before.archive.read_bytes()
    (world.folder / "gcc/source").unlink()
    (world.folder / "gcc/source").mkdir()  # cp leaves folders out, and fails
    with pytest.raises(BuildError, match="the step build ended"):
        world.build("gcc")
    assert (before.path / "cc").read_text() == "gcc 2\n"
    assert before.archive.read_bytes() == packed


def test_the_second_of_two_builds_waits_and_uses_the_firsts(world: World) -> None:
    awaited = world.folder / "awaited"
    world.write("sys", f'{_SYSTEM}[env]\nAWAITED = "{awaited}"\n')
    world.build("gcc")
    work = world.folder / "work"
    variables = cli_environment(work, LAPSTRAKE_DL_DIR=str(world.depot.downloads))
    words = cli_command("artifact", "build", "--json")

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            words, env=variables, cwd=world.folder / "sys", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    first = start()
    log = world.folder / "sys/.nerves/artifacts/sys-portable-1.0/build.log"
    deadline = time.monotonic() + 60
    while not log.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    second = start()
    assert second.stderr is not None
    waits = f"waiting for the build of sys-portable-1.0, in use by process {first.pid}"
    try:
        assert any(waits in line for line in second.stderr), "it has ended without a wait"
    finally:
        awaited.touch()
    made, found = (each.communicate(timeout=60) for each in (first, second))
    assert (first.returncode, second.returncode) == (0, 0), (made, found)
    assert [row["builder"] for row in json.loads(made[0])] == [None, "local"]
    assert [row["builder"] for row in json.loads(found[0])] == [None, None]


def test_archives_are_written_from_wherever_the_artifact_is(world: World) -> None:
    target = world.folder / "there"
    with pytest.raises(StaleError, match="nothing of gcc is kept here"):
        write_archive(world.project("gcc"), "", world.depot, world.heard, folder=target)
    built = world.build("gcc")["gcc"]
    assert built.archive is not None

    def written() -> dict[str, str]:
        file = write_archive(world.project(), "gcc", world.depot, world.heard, folder=target)
        assert file == target / built.identity.file_name
        found = contents(file)
        file.unlink()
        return found

    expected = {"cc": "gcc 2\n", "n": "x\n"}
    assert written() == expected
    built.archive.unlink()
    assert written() == expected  # packed from what was unpacked
    with pytest.raises(UsageError, match="app is no package itself"):
        write_archive(world.project(), "", world.depot, world.heard, folder=target)
    with pytest.raises(UsageError, match="machinery is a system_platform"):
        write_archive(world.project(), "machinery", world.depot, world.heard, folder=target)


@pytest.mark.parametrize(
    ("engine", "why"), [("docker", "does not answer|daemon"), ("nerdctl", "nerdctl: not installed")]
)
def test_an_engine_that_is_not_there(
    world: World, engine: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if engine == "docker" and find_program("docker") is None:
        pytest.skip("docker is not installed (apt install docker.io)")
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    runner = replace(world.depot.config.runner, docker=engine)
    world.depot = replace(world.depot, config=replace(world.depot.config, runner=runner))
    with pytest.raises(RunnerError, match="gcc cannot be built with docker here") as caught:
        world.build("gcc", builder="docker")
    assert re.search(why, caught.value.brief)
    assert caught.value.resolution
    assert not (world.folder / "gcc/.nerves").exists()


@pytest.mark.parametrize("inside", ["", "/local", "/local/out"])
def test_artifacts_are_not_kept_where_they_are_built(world: World, inside: str) -> None:
    name = world.build("gcc")["gcc"].identity.name
    folder = world.folder / "gcc/.nerves/artifacts"
    within = Path(f"{folder}/{name}{inside}")
    world.depot = replace(world.depot, config=replace(
        world.depot.config, artifacts=ArtifactsConfig(folder=within)
    ))  # fmt: skip
    for act in (lambda: world.build("gcc", force=True),
                lambda: clean(world.project(), ("gcc",), world.depot, world.heard)):  # fmt: skip
        with pytest.raises(ArtifactError, match="is inside of") as caught:
            act()
        assert "artifacts.folder" in caught.value.resolution
    assert (folder / name / "local/out/cc").exists()


def test_artifacts_may_be_kept_beside_where_they_are_built(world: World) -> None:
    folder = world.folder / "gcc/.nerves/artifacts"
    world.depot = replace(world.depot, config=replace(
        world.depot.config, artifacts=ArtifactsConfig(folder=folder)
    ))  # fmt: skip
    built = world.build("gcc")["gcc"]
    assert built.path.parent == folder
    assert world.build("gcc", force=True)["gcc"].path == built.path
    clean(world.project(), ("gcc",), world.depot, world.heard)
    assert not built.path.exists()


def test_cleaning_removes_artifact_and_build_folder(world: World) -> None:
    assert clean(world.project(), (), world.depot, world.heard) == (
        f"{world.build('gcc')['gcc'].identity.name}",
        "sys-portable-1.0",
    )
    built = world.build("gcc")["gcc"]
    (world.depot.downloads / built.identity.file_name).unlink()
    clean(world.project(), ("gcc",), world.depot, world.heard)
    assert not built.path.exists()
    left = world.depot.build_folder(built.package, built.identity)
    assert [entry.name for entry in left.iterdir()] == ["lock"]
    assert (world.build("gcc")["gcc"].path / "n").read_text() == "x\n"  # from the beginning

    world.write("gcc", _GCC.replace("2.0", "3.0"), source="gcc 3\n")
    cache = ArtifactCache(world.depot.artifacts)
    by_nerves = cache.root / "gcc-linux_x86_64-1.0"
    by_nerves.mkdir()
    (by_nerves / "CHECKSUM").write_text("ABC\n")
    with cache.use(built.identity):
        clean(world.project(), ("gcc",), world.depot, world.heard)
    assert [entry.name for entry in left.iterdir()] == ["lock"]  # of the former version
    assert built.path.exists()
    assert len([line for line in world.heard.warnings if "stays" in line]) == 2
    clean(world.project(), ("gcc",), world.depot, world.heard)
    assert [entry.path for entry in cache.entries()] == [by_nerves]


def test_there_is_no_shell_where_nothing_is_built(world: World) -> None:
    alone = replace(world.project(), packages=())
    no_system = replace(world.project(), packages=world.project().packages[:1])
    for project, name, why in (
        (alone, "", "depends on no package"),
        (no_system, "", "app has no system"),
        (world.project(), "nope", "has no package 'nope'"),
        (world.project(), "machinery", "it has no artifact"),
        (world.project("gcc"), "gcc", "needs a terminal"),
    ):
        with pytest.raises(UsageError, match=why):
            open_shell(project, name, world.depot, world.heard)
    with pytest.raises(StaleError, match="sys needs gcc"):
        open_shell(world.project(), "", world.depot, world.heard)


def test_the_command_line(world: World) -> None:
    def run(*words: str, folder: str = "gcc") -> subprocess.CompletedProcess[str]:
        variables = cli_environment(
            world.folder / "work", LAPSTRAKE_DL_DIR=str(world.depot.downloads)
        )
        return subprocess.run(
            cli_command("artifact", *words), env=variables, cwd=world.folder / folder,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    built = run("build", "-j", "3")
    assert built.returncode == 0, built.stderr
    assert ">>> building gcc-linux_" in built.stderr
    assert "build.log" in built.stderr
    assert Path(built.stdout.split()[1], "cc").read_text() == "gcc 2\n"
    assert "nothing was built" in run("build").stderr
    archived = run("archive", "gcc", "--path", str(world.folder / "out"), folder="app")
    assert Path(archived.stdout.strip()).is_file()
    assert run("clean").returncode == 2
    assert run("clean", "--all").returncode == 0
    (world.folder / "gcc/source").unlink()
    failed = run("build")
    assert failed.returncode == 28
    assert "cannot stat" in failed.stderr
    assert "build.log" in failed.stderr
