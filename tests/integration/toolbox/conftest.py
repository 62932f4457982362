"""Builds bundles with the toolbox as the host does, in a Debian root with some templates' tools.

That every template builds is shown by tests/acceptance/test_build_aosc.py, in the program's own
roots.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from lapstrake.config.host_apt import ARCHIVE_PREFIX, archive_uris
from lapstrake.errors import BaseError, FetchError, LapstrakeError
from lapstrake.host.locks import locked
from lapstrake.host.process import Completed, find_program, run
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Runner
from lapstrake.runner.nspawn import NspawnRunner
from lapstrake.runner.userns import UsernsRunner

REPOSITORY = Path(__file__).parents[3]
TOOLBOX = REPOSITORY / "src/lapstrake/toolbox"
TREE = REPOSITORY / "examples/tree"
EPOCH = 1_600_000_000
BUILDROOT = GuestPath("/buildroot")
_TEMPLATES = ("autotools", "plainmake", "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """How a build ended: exit status, what it said, the last step, the packages by file name."""

    status: int
    log: str
    step: str
    packages: Mapping[str, Path]

    @property
    def package(self) -> Path:
        """The only package that is not one of debug information."""
        (package,) = (path for name, path in self.packages.items() if "-dbg_" not in name)
        return package


Build = Callable[..., Built]


def deb(option: str, package: Path) -> str:
    """What ``dpkg-deb OPTION`` tells of a package."""
    done = run(["dpkg-deb", option, package], timeout=60, error=LapstrakeError)
    return done.text


def modes(package: Path) -> dict[str, str]:
    """The mode of each path of a package, as ``ls`` writes it."""
    lines = (line.split(maxsplit=5) for line in deb("-c", package).splitlines())
    return {fields[5].split(" -> ")[0].removeprefix("."): fields[0] for fields in lines}


@pytest.fixture(name="deb")
def _deb() -> Callable[[str, Path], str]:
    return deb


@pytest.fixture(name="modes")
def _modes() -> Callable[[Path], dict[str, str]]:
    return modes


@pytest.fixture(scope="session")
def cache(shared_folder: Path) -> Path:
    """Where the root and the downloads are, for all workers."""
    folder = shared_folder / "toolbox"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def runner() -> Runner:
    """The first runner that this host can use."""
    runners: tuple[Runner, ...] = (NspawnRunner(), UsernsRunner())
    for candidate in runners:
        if not candidate.probe():
            return candidate
    pytest.skip("; ".join(candidate.probe()[0].what for candidate in runners))


@pytest.fixture(scope="session")
def root(cache: Path) -> Path:
    """A Debian root with what `tools.toml` says for `_TEMPLATES`."""
    if find_program("mmdebstrap") is None:
        pytest.skip("mmdebstrap is not installed")
    tools = tomllib.loads((TOOLBOX / "tools.toml").read_text())
    packages = sorted(
        {*tools["always"], *chain(*(tools["templates"][name] for name in _TEMPLATES))}
    )
    key = hashlib.sha256(json.dumps(packages).encode()).hexdigest()[:12]
    target = cache / f"root-{key}"
    with locked(cache / "root.lock", what="the test root", error=BaseError):
        if not target.exists():
            _make_root(target, packages)
    return target


def _make_root(target: Path, packages: list[str]) -> None:
    part = target.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        run(
            ["mmdebstrap", "--variant=apt", f"--include={','.join(packages)}", "bookworm", part],
            timeout=1800,
            error=BaseError,
        )
    except BaseError as error:
        pytest.skip(f"no Debian root can be made here: {error.details}")
    part.rename(target)


@pytest.fixture(scope="session")
def source(cache: Path) -> Callable[[str, str], Path]:
    """Fetches a source of the examples' tree, given its item of SRCS and its sum."""

    def fetch(item: str, sum_: str) -> Path:
        hex_ = sum_.removeprefix("sha256::")
        path = cache / "sources" / hex_
        path.parent.mkdir(exist_ok=True)
        with locked(cache / f"sources/{hex_}.lock", what="a source", error=FetchError):
            if not path.exists():
                try:
                    _fetch(item, path.with_suffix(".part"))
                except FetchError as error:
                    pytest.skip(f"{item} cannot be fetched here: {error.details}")
                path.with_suffix(".part").rename(path)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == hex_
        return path

    return fetch


def _fetch(item: str, target: Path) -> None:
    """Fetch through the ordinary clients, so that the host's own settings say from where."""
    folder = target.with_suffix(".folder")
    folder.mkdir(exist_ok=True)
    type_, _, rest = item.rpartition("::")
    if ARCHIVE_PREFIX in rest:
        url = rest.replace(ARCHIVE_PREFIX, archive_uris()[0].rstrip("/") + "/")
        _client(["/usr/lib/apt/apt-helper", "download-file", url, folder / "archive"])
    else:
        pip = ["pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", f"--dest={folder}"]
        _client([*pip, f"{rest}=={type_.removeprefix('pypi::version=')}"])
    (file,) = folder.iterdir()
    file.rename(target)
    folder.rmdir()


def _client(argv: list[str | Path]) -> Completed:
    return run(argv, timeout=300, error=FetchError)


@pytest.fixture
def build(
    root: Path, runner: Runner, tmp_path: Path, source: Callable[[str, str], Path]
) -> Iterator[Callable[..., Built]]:
    """Stages a bundle as the host does, runs the driver offline, and copies the results out."""
    count = 0

    def build(
        bundle: Path, *arguments: str, env: Mapping[str, str] | None = None, driver: str = "aosc.sh"
    ) -> Built:
        nonlocal count
        count += 1
        here = tmp_path / f"build-{count}"
        stage = here / "stage"
        stage.mkdir(parents=True)
        srcdir, names = _stage(bundle, stage, source)
        workspace = here / "workspace"
        workspace.mkdir()
        said: list[bytes] = []
        with runner.open((root,), workspace) as session:
            session.put(stage, BUILDROOT)
            outcome = session.run(
                Command(
                    argv=("bash", str(BUILDROOT / "toolbox" / driver), *arguments),
                    env=_environment(srcdir, names) | dict(env or {}),
                    cwd=BUILDROOT,
                ),
                on_output=said.append,
            )
            session.get(BUILDROOT / "output", here / "output")
            session.get(BUILDROOT / "step", here / "step")
        output = here / "output"
        return Built(
            status=outcome.status,
            log=b"".join(said).decode("utf-8", "replace"),
            step=(here / "step").read_text().strip() if (here / "step").exists() else "",
            packages={path.name: path for path in sorted(output.glob("*.deb"))},
        )

    yield build
    shutil.rmtree(tmp_path, ignore_errors=True)


def _environment(srcdir: str, names: list[str]) -> dict[str, str]:
    return {
        "LAPSTRAKE_BUILDROOT": str(BUILDROOT),
        "LAPSTRAKE_SRCDIR": str(BUILDROOT / "build" / srcdir),
        "LAPSTRAKE_ARCH": "amd64" if os.uname().machine == "x86_64" else "arm64",
        "LAPSTRAKE_JOBS": "2",
        "LAPSTRAKE_BRANCH": "stable",
        "LAPSTRAKE_SOURCES": "\n".join(names),
        "SOURCE_DATE_EPOCH": str(EPOCH),
    }


def _stage(bundle: Path, stage: Path, source: Callable[[str, str], Path]) -> tuple[str, list[str]]:
    """Lay out the buildroot; returns the folder of the sources and the fetched files' names."""
    shutil.copytree(TOOLBOX, stage / "toolbox")
    shutil.copytree(bundle, stage / "bundle", symlinks=True)
    (stage / "build").mkdir()
    script = '. "$0"; printf "%s\\n" "$VER" "${SRCS-}" "${CHKSUMS-}"'
    argv: list[str | Path] = ["bash", "-c", script, bundle / "spec"]
    version, item, sum_ = run(argv, timeout=60, error=LapstrakeError).text.split("\n")[:3]
    if not item:
        return "", []
    archive = stage / f"{version}.bin"
    shutil.copy(source(re.sub(r"^tbl::", "", item), sum_), archive)
    run(["tar", "-C", stage / "build", "-xf", archive], timeout=60, error=LapstrakeError)
    (folder,) = (stage / "build").iterdir()
    return folder.name, [archive.name]
