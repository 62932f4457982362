"""The package: its version, its commands, what starting it costs, what it is installed with."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import lapstrake
from lapstrake.cli.lazy import CommandRow
from lapstrake.cli.main import COMMANDS, cli
from project import PROJECT, SOURCE

_PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
_HEAVY = {"pydantic", "httpx2", "rich", "tomlkit", "psutil", "debian", "urllib.request"}


def test_the_version_is_in_one_place() -> None:
    assert _PYPROJECT["project"]["dynamic"] == ["version"]
    assert _PYPROJECT["tool"]["hatch"]["version"]["path"] == "src/lapstrake/__init__.py"
    newest = re.search(r"^## (\d[^,\s]*)", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert newest is not None
    assert newest[1] == lapstrake.__version__


def test_the_licence_is_the_one_declared() -> None:
    text = (PROJECT / "LICENSE").read_text()
    assert _PYPROJECT["project"]["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "Version 2.0" in text


def _locked(name: str) -> dict[str, str]:
    text = (PROJECT / "requirements" / f"{name}.txt").read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


@pytest.mark.parametrize(
    "lock, wanted",
    [
        ("runtime", _PYPROJECT["project"]["dependencies"]),
        ("dev", _PYPROJECT["project"]["dependencies"]),
        *(
            (lock, wanted)
            for lock in ("runtime", "dev")
            for wanted in _PYPROJECT["project"]["optional-dependencies"].values()
        ),
        ("dev", _PYPROJECT["dependency-groups"]["dev"]),
        ("runtime", _PYPROJECT["build-system"]["requires"]),
        ("dev", _PYPROJECT["build-system"]["requires"]),
    ],
)
def test_locks_have_what_is_declared(lock: str, wanted: list[str]) -> None:
    pins = _locked(lock)
    for text in wanted:
        requirement = Requirement(text)
        pinned = pins.get(canonicalize_name(requirement.name))
        assert pinned is not None, f"{lock}.txt lacks {requirement.name}"
        assert requirement.specifier.contains(pinned), f"{lock}.txt: {text}, not {pinned}"


def test_the_runtime_lock_is_part_of_the_other() -> None:
    assert _locked("runtime").items() <= _locked("dev").items()


def test_locks_are_hashed() -> None:
    for name in ("runtime", "dev"):
        text = (PROJECT / "requirements" / f"{name}.txt").read_text()
        assert text.count("--hash=sha256:") >= len(_locked(name))


def test_what_is_installed_here_is_what_is_locked() -> None:
    """Otherwise the tests test something else than users get."""
    here: dict[str, str] = {
        canonicalize_name(d.metadata["Name"]): d.version for d in metadata.distributions()
    }
    others = {
        name: (here[name], version)
        for name, version in _locked("dev").items()
        if name in here and here[name] != version
    }
    assert not others


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_command_loads(row: CommandRow) -> None:
    assert row.load().help


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('LOADED', *sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.rpartition("LOADED")[2].split())


@pytest.mark.parametrize(
    "words", [["--help"], ["--version"], ["build", "--help"], ["history", "--help"]]
)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    loaded = _loaded(f"from lapstrake.cli.main import main\nmain({words!r})")
    assert not loaded & _HEAVY


def _paths(command: click.Command, words: tuple[str, ...]) -> list[tuple[str, ...]]:
    inner = command.commands if isinstance(command, click.Group) else {}
    return [words, *(p for name, each in inner.items() for p in _paths(each, (*words, name)))]


@pytest.mark.parametrize(
    "words",
    [words for row in COMMANDS for words in _paths(row.load(), (row.name,))],
    ids=lambda words: " ".join(words),
)
def test_help_fits_a_terminal(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    status = cli.main([*words, "--help"], prog_name="lapstrake", standalone_mode=False)
    text = capsys.readouterr().out
    assert not status
    assert text.startswith("Usage: lapstrake ")
    assert "\\b" not in text
    assert [line for line in text.splitlines() if len(line) > 80] == []


def test_generated_pages_are_what_the_code_says() -> None:
    script = PROJECT / "docs" / "generate.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, f"run ./dev docs: {done.stdout}{done.stderr}"


def test_dev_tells_its_commands() -> None:
    done = subprocess.run([PROJECT / "dev"], capture_output=True, text=True)
    assert done.returncode == 2
    text = (PROJECT / "dev").read_text()
    for command in ("lapstrake", "test", "lint", "docs", "bench"):
        assert f"./dev {command}" in done.stdout
        assert re.search(rf"\b{command}\b.*\)$", text, re.MULTILINE)


def test_a_wheel_holds_all_that_runs(tmp_path: Path) -> None:
    """The toolbox is data, and a pattern of .gitignore fits one of our packages."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob(f"lapstrake-{lapstrake.__version__}-*.whl")
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if name.startswith("lapstrake/")}
    ours = {
        str(file.relative_to(SOURCE.parent))
        for file in SOURCE.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert held == ours
