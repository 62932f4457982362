"""Builds Debian and native bundles with their drivers: in a Debian root, or right on the host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lapstrake.bundle.base import Bundle
from lapstrake.config.host_apt import archive_uris
from lapstrake.errors import BaseError, FetchError, LapstrakeError
from lapstrake.host.locks import locked
from lapstrake.host.process import find_program, run
from lapstrake.names import Arch, GuestPath
from lapstrake.runner.base import Command, Runner
from lapstrake.runner.nspawn import NspawnRunner
from lapstrake.runner.userns import UsernsRunner

REPOSITORY = Path(__file__).parents[3]
TOOLBOX = REPOSITORY / "src/lapstrake/toolbox"
EXAMPLES = REPOSITORY / "examples/native"
RELEASE = "bookworm"
EPOCH = 1_600_000_000
BUILDROOT = GuestPath("/buildroot")
_PACKAGES = ("debhelper", "fakeroot", "help2man", "libncurses-dev", "texinfo", "zstd")
_RUNNERS: Mapping[str, Callable[[], Runner]] = {"nspawn": NspawnRunner, "userns": UsernsRunner}


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """How a build ended: exit status, what it said, its last step, its results by name."""

    status: int
    log: str
    step: str
    results: Mapping[str, Path] = field(default_factory=dict)

    @property
    def headlines(self) -> list[str]:
        """The steps in the order they began."""
        lines = (line for line in self.log.splitlines() if line.startswith(">>> "))
        return [line.removeprefix(">>> ").split(":")[0] for line in lines]

    def fields(self, name: str) -> dict[str, str]:
        """The one-line fields of a package's control file."""
        lines = dpkg_deb("--field", self.results[name]).splitlines()
        return dict(line.split(": ", 1) for line in lines if not line.startswith(" "))

    def content(self, name: str) -> dict[str, str]:
        """The mode of each path of a package, as ``ls`` writes it; folders end with a slash."""
        lines = (line.split(maxsplit=5) for line in dpkg_deb("-c", self.results[name]).splitlines())
        names = ((words[5].split(" -> ")[0].removeprefix("./"), words[0]) for words in lines)
        return {name: mode for name, mode in names if name}

    def control(self, name: str, member: str) -> str | None:
        """A file of a package's control archive, or ``None``."""
        done = run(
            ["dpkg-deb", "--info", self.results[name], member],
            timeout=60,
            error=LapstrakeError,
            allowed=(0, 2),
        )
        return done.text if done.status == 0 else None


Build = Callable[..., Built]


def dpkg_deb(option: str, package: Path) -> str:
    """What ``dpkg-deb OPTION`` tells of a package."""
    return run(["dpkg-deb", option, package], timeout=60, error=LapstrakeError).text


def host_arch() -> Arch:
    """This machine's architecture."""
    done = run(["dpkg", "--print-architecture"], timeout=60, error=LapstrakeError)
    return Arch(done.text.strip())


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where roots and downloads stay between test runs."""
    home = os.environ.get("XDG_CACHE_HOME", "") or str(Path.home() / ".cache")
    folder = Path(home) / "lapstrake-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def arch() -> Arch:
    """This machine's architecture."""
    return host_arch()


@pytest.fixture(scope="session")
def root(cache: Path) -> Path:
    """A Debian root with build-essential, debhelper and fakeroot."""
    if os.geteuid() != 0:
        pytest.skip("making a root needs root")
    if "LAPSTRAKE_TEST_DEBIAN_ROOT" in os.environ:
        return Path(os.environ["LAPSTRAKE_TEST_DEBIAN_ROOT"])
    if find_program("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    target = cache / f"drivers-{RELEASE}"
    with locked(cache / "drivers.lock", what="the test root", error=BaseError):
        if not target.exists():
            part = target.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            include = f"--include={','.join(_PACKAGES)}"
            try:
                run(
                    ["mmdebstrap", "--variant=buildd", include, RELEASE, part],
                    timeout=1800,
                    error=BaseError,
                )
            except BaseError as error:
                pytest.skip(f"no Debian root can be made here: {error.details}")
            part.rename(target)
    return target


@pytest.fixture(scope="session")
def source_package(cache: Path) -> Callable[[str], Path]:
    """Fetches a source package with the host's apt; returns its ``.dsc``."""

    def fetch(name: str) -> Path:
        folder = cache / "source-packages"
        with locked(cache / "source-packages.lock", what="source packages", error=FetchError):
            if not list(folder.glob(f"{name}_*.dsc")):
                try:
                    _download_source(name, folder)
                except FetchError as error:
                    pytest.skip(f"{name} cannot be fetched here: {error.details}")
        (dsc,) = folder.glob(f"{name}_*.dsc")
        return dsc

    return fetch


def _download_source(name: str, folder: Path) -> None:
    uris = archive_uris()
    if not uris:
        pytest.skip("the host's apt has no Debian archive")
    state = folder / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(f"deb-src {uris[0]} {RELEASE} main\n")
    options = {
        "Dir::State::lists": state / "lists",
        "Dir::Cache": state / "cache",
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items())]
    run([*apt, "update"], timeout=300, error=FetchError)
    run([*apt, "source", "--download-only", name], cwd=folder, timeout=300, error=FetchError)


@pytest.fixture
def runner(request: pytest.FixtureRequest) -> Runner:
    """The runner ``nspawn``, or another that a test asks for."""
    chosen = _RUNNERS[getattr(request, "param", "nspawn")]()
    if lacks := [lack for lack in chosen.probe() if getattr(lack, "blocks", True)]:
        pytest.skip(lacks[0].what)
    return chosen


@pytest.fixture
def build(root: Path, runner: Runner, tmp_path: Path) -> Iterator[Build]:
    """Stages a bundle as the host does, runs its driver in a root, copies the results out."""
    count = 0

    def build(bundle: Bundle, **environment: str) -> Built:
        nonlocal count
        count += 1
        here = tmp_path / f"build-{count}"
        stage = stage_bundle(bundle, here / "stage")
        workspace = here / "workspace"
        workspace.mkdir()
        said: list[bytes] = []
        command = Command(
            argv=("bash", str(BUILDROOT / "toolbox" / bundle.driver)),
            env=driver_environment(bundle, str(BUILDROOT), stage) | environment,
            cwd=BUILDROOT,
        )
        with runner.open((root,), workspace) as session:
            session.put(stage, BUILDROOT)
            outcome = session.run(command, on_output=said.append)
            session.get(BUILDROOT / "output", here / "output")
            session.get(BUILDROOT / "step", here / "step")
        return result(outcome.status, b"".join(said), here)

    yield build
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def build_here(tmp_path: Path) -> Build:
    """Runs a native bundle's driver on the host, as the runner ``local`` does: in any folder."""
    if find_program("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    count = 0

    def build(bundle: Bundle, **environment: str) -> Built:
        nonlocal count
        count += 1
        stage = stage_bundle(bundle, tmp_path / f"here {count}")  # a blank, to be safe with blanks
        env = driver_environment(bundle, str(stage), stage) | environment
        script = 'exec bash "$1" 2>&1'
        done = run(
            ["bash", "-c", script, "-", stage / "toolbox" / bundle.driver],
            timeout=300,
            error=LapstrakeError,
            cwd=stage,
            env=env,
            allowed=range(256),
        )
        return result(done.status, done.stdout, stage)

    return build


def stage_bundle(bundle: Bundle, stage: Path) -> Path:
    """Lay out a buildroot: toolbox, bundle, plan, and the sources next to each other."""
    shutil.copytree(TOOLBOX, stage / "toolbox")
    (stage / "build").mkdir()
    if bundle.path.is_dir():
        shutil.copytree(bundle.path, stage / "bundle", symlinks=True)
    for name, data in bundle.files.items():
        (stage / "plan" / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / "plan" / name).write_bytes(data)
    for source in bundle.sources:
        shutil.copy(source.url.removeprefix("file://"), stage / "build" / source.name)
    return stage


def driver_environment(bundle: Bundle, buildroot: str, stage: Path) -> dict[str, str]:
    """The variables that every driver gets, and the bundle's own."""
    folders = [path for path in (stage / "build").iterdir() if path.is_dir()]
    subdir = bundle.subdir or (folders[0].name if len(folders) == 1 else "")
    return {
        "LAPSTRAKE_BUILDROOT": buildroot,
        "LAPSTRAKE_SRCDIR": f"{buildroot}/build/{subdir}".rstrip("/"),
        "LAPSTRAKE_ARCH": str(host_arch()),
        "LAPSTRAKE_JOBS": "2",
        "LAPSTRAKE_BRANCH": "stable",
        "LAPSTRAKE_SOURCES": "\n".join(source.name for source in bundle.sources),
        "SOURCE_DATE_EPOCH": str(EPOCH),
        **bundle.environment,
    }


def result(status: int, log: bytes, folder: Path) -> Built:
    """Gather what a build left in a folder."""
    step = folder / "step"
    return Built(
        status=status,
        log=log.decode("utf-8", "replace"),
        step=step.read_text().strip() if step.exists() else "",
        results={path.name: path for path in sorted((folder / "output").glob("*"))},
    )
