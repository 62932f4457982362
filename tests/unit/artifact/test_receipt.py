"""Receipts: the answer of the last time, for as long as the whole way would give it again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from artifact_sites import archive_of, quick_terms
from lapstrake.artifact.depot import Depot
from lapstrake.artifact.getting.flow import choose, get_each
from lapstrake.artifact.getting.found import Got
from lapstrake.artifact.getting.receipt import Question
from lapstrake.artifact.keeping.status import status_of
from lapstrake.artifact.manifest.project import read_project
from lapstrake.config.load import load_config
from lapstrake.progress import Silent

_ROW = {"package": "fish", "from": "kept"}
_SYSTEM = (
    '[package]\nname = "fish"\ntype = "system"\nversion_file = "VERSION"\nchecksum = ["src/**"]\n'
)


class Place:
    """A project that needs a system, both in folders, and the system's artifact kept."""

    def __init__(self, top: Path) -> None:
        self.top, self.project, self.system = top, top / "app", top / "fish"
        for folder in (self.project / "deep", self.system / "src", top / "conf"):
            folder.mkdir(parents=True)
        (top / "conf/config.toml").write_text("")
        (self.project / "lapstrake.toml").write_text(
            '[project]\nname = "app"\nversion = "1"\n[dependencies.fish]\npath = "../fish"\n'
        )
        (self.system / "lapstrake.toml").write_text(_SYSTEM)
        (self.system / "VERSION").write_text("1.0\n")
        (self.system / "src/code").write_text("code")

    def question(self, *names: str, folder: Path | None = None, **settings: str) -> Question:
        return Question(folder or self.project, config_dir=None, settings=settings, names=names)

    def get(self) -> Got:
        """Have it the whole way, and remember it."""
        depot = Depot(config=load_config(), environment={})
        project = read_project(self.project, depot=depot)
        (package,) = choose(project, ())
        identity = status_of(project, package, depot).identity
        depot.downloads.mkdir(parents=True, exist_ok=True)
        (depot.downloads / identity.file_name).write_bytes(archive_of(identity))
        (got,) = get_each(project, [package], depot, quick_terms(), Silent())
        assert isinstance(got, Got)
        self.question().remember(project, depot, [(got, _ROW)])
        return got


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, folder in (("HOME", "home"), ("LAPSTRAKE_WORK_DIR", "work"), ("FISH", "")):
        monkeypatch.setenv(name, str(tmp_path / folder) if folder else "")
    for name in ("XDG_CACHE_HOME", "NERVES_SYSTEM", "NERVES_DL_DIR", "LAPSTRAKE_DL_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LAPSTRAKE_CONFIG", str(tmp_path / "conf"))
    return Place(tmp_path)


def test_the_same_again(place: Place) -> None:
    assert place.question().recall() is None
    got = place.get()
    record = place.top / "work/artifacts/.lapstrake/records" / got.identity.download_name
    before = record.stat().st_mtime_ns
    assert place.question().recall() == [_ROW]
    assert record.stat().st_mtime_ns > before  # it counts as used
    (place.project / "main.c").touch()  # no input of the artifact
    assert place.question().recall() == [_ROW]


@pytest.mark.parametrize(
    "change",
    [
        lambda place: (place.system / "src/code").write_text("other"),
        lambda place: (place.system / "src/more").write_text(""),
        lambda place: (place.system / "src/code").unlink(),
        lambda place: (place.system / "VERSION").write_text("1.1\n"),
        lambda place: (place.system / "lapstrake.toml").write_text(_SYSTEM + "[env]\n"),
        lambda place: (place.project / "lapstrake.toml").unlink(),
        lambda place: (place.top / "conf/config.toml").write_text("[artifacts]\n"),
        lambda place: shutil.rmtree(place.top / "work/artifacts"),
        lambda place: next(place.top.glob("work/artifacts/*/CHECKSUM")).write_text("0" * 64),
        lambda place: next(place.top.glob("home/.cache/lapstrake/answers/*")).write_text("{}"),
        lambda place: next(place.top.glob("home/.cache/lapstrake/answers/*")).write_text("x"),
    ],
)
def test_what_makes_it_void(place: Place, change: Callable[[Place], object]) -> None:
    place.get()
    assert place.question().recall() == [_ROW]
    change(place)
    assert place.question().recall() is None


def test_other_questions(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.get()
    assert place.question("fish").recall() is None
    assert place.question(folder=place.project / "deep").recall() is None
    assert place.question(arch="arm64").recall() is None
    for name in ("NERVES_SYSTEM", "NERVES_ARTIFACTS_DIR", "HOST_OS", "LAPSTRAKE_WORK_DIR"):
        with monkeypatch.context() as changed:
            changed.setenv(name, "/elsewhere")
            assert place.question().recall() is None
    assert place.question().recall() == [_ROW]


def test_no_secret_is_written_down(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some variables that begin like ours are keys."""
    monkeypatch.setenv("NERVES_HUB_KEY", "precious")
    place.get()
    assert place.question().recall() == [_ROW]
    (answer,) = place.top.glob("home/.cache/lapstrake/answers/*")
    assert "precious" not in answer.read_text()
    assert answer.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("NERVES_HUB_KEY", "another")
    assert place.question().recall() is None
