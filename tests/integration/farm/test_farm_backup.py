"""A farm that works is backed up, and goes on elsewhere: with SQLite and with PostgreSQL."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm_hand import ENGINE, HandWorker
from farm_postgres import Postgres, lacks_postgres, running_postgres
from farm_server import FarmServer, farm_server
from lapstrake.cli.main import main
from roots import Completed, cli_environment

_QUICK = ("farm.heartbeat=0.5s", "farm.fence_after=1s", "farm.dead_after=2s")
_REPOSITORY = (
    *("stable/Packages", "stable/.lapstrake/lock", "stable/hello_1_amd64.deb"),
    *("scratch/Packages", "scratch/.lapstrake/lock"),  # a branch called as a folder of contents is
)


Run = Callable[..., Completed]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs ``lapstrake`` in this process, with a work folder."""

    def call(*words: str, work_dir: Path) -> Completed:
        work_dir.mkdir(exist_ok=True)
        for name, value in cli_environment(work_dir).items():
            monkeypatch.setenv(name, value)
        status = main(words)
        out, err = capsys.readouterr()
        return Completed(status=status, stdout=out, stderr=err)

    return call


@pytest.fixture
def whole(run: Run, tmp_path: Path) -> Path:
    """The backup of a farm with nothing but tables."""
    work_dir, file = tmp_path / "first", tmp_path / "whole"
    assert run("farm", "token", "list", work_dir=work_dir).ok
    assert run("farm", "backup", str(file), work_dir=work_dir).ok
    return file


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The addresses of two empty databases; empty ones for SQLite."""
    if request.param == "sqlite":
        return "", ""
    if lack := lacks_postgres():
        pytest.skip(lack)
    server: Postgres = request.getfixturevalue("postgres")
    return server.new_database(), server.new_database()


def hand_of(server: FarmServer, name: str) -> HandWorker:
    worker = HandWorker(client=server.client(), name=name)
    worker.register(incarnation="by-hand")
    worker.beat()
    return worker


def submit(hand: HandWorker, name: str) -> int:
    spec = {"name": name, "source": f"apt:{name}", "branch": "stable", "publish": False}
    answer = hand.client.post("/api/v1/tasks", json={"spec": spec})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


def task(hand: HandWorker, number: int) -> dict[str, object]:
    found: dict[str, object] = hand.client.get(f"/api/v1/tasks/{number}").json()
    return found


def settings_of(database: str) -> tuple[str, ...]:
    return ("--set", f"farm.database={database}") if database else ()


def test_nothing_complete_is_lost_and_what_was_built_is_built_again(
    run: Run, databases: tuple[str, str], tmp_path: Path
) -> None:
    first, second, file = tmp_path / "first", tmp_path / "second", tmp_path / "farm.tar.zst"
    with farm_server(first, settings=(ENGINE, *_QUICK), database=databases[0]) as server:
        hand = hand_of(server, "one")
        complete, building, queued = (submit(hand, name) for name in ("done", "doing", "waiting"))
        hand.claim(complete)
        hand.write(complete, "all of the log\n")
        hand.finish(complete, files={"result.txt": b"precious"})
        hand.claim(building)
        hand.write(building, "half of the log\n")
        hand.beat([building])
        for name in _REPOSITORY:
            (first / "output" / name).parent.mkdir(parents=True, exist_ok=True)
            (first / "output" / name).write_bytes(name.encode())
        (first / "keys").mkdir(exist_ok=True, mode=0o700)
        (first / "keys" / "secret").write_bytes(b"key")
        made = run(*settings_of(databases[0]), "farm", "backup", str(file), work_dir=first)
        assert made.ok, made.stderr
        assert file.stat().st_mode & 0o777 == 0o600
    shutil.rmtree(first)
    second.mkdir()
    restoring = (*settings_of(databases[1]), "farm", "restore", str(file))
    restored = run(*restoring, work_dir=second)
    assert restored.ok, restored.stderr
    for name in _REPOSITORY:
        assert (second / "output" / name).read_bytes() == name.encode()
    assert (second / "keys" / "secret").read_bytes() == b"key"
    assert (second / "keys").stat().st_mode & 0o777 == 0o700
    with farm_server(second, settings=(ENGINE, *_QUICK), database=databases[1]) as server:
        hand = HandWorker(client=server.client(), name="two")
        assert task(hand, complete)["state"] == "success"
        result = hand.client.get(f"/api/v1/tasks/{complete}/artifacts/result.txt")
        assert result.content == b"precious"
        log = hand.client.get(f"/api/v1/tasks/{complete}/log")
        assert log.content == b"all of the log\n"
        assert task(hand, queued)["state"] == "queued"
        until = time.monotonic() + 30
        while task(hand, building)["state"] != "queued" and time.monotonic() < until:
            time.sleep(0.1)
        assert task(hand, building)["state"] == "queued", task(hand, building)
        attempts = hand.client.get(f"/api/v1/tasks/{building}/attempts").json()
        assert [each["ending"] for each in attempts] == ["lost"]
        assert submit(hand, "new") > queued
    again = run(*restoring, work_dir=second)
    assert again.status == 31
    assert "not empty" in again.stderr


def test_a_killed_restore_is_begun_anew(run: Run, whole: Path, tmp_path: Path) -> None:
    # As if it had been killed while it gave the folders their names.
    second = tmp_path / "second"
    (second / "output" / "stable").mkdir(parents=True)
    (second / "output" / "stable" / "half").touch()
    (second / ".lapstrake-tmp.abc.farm").mkdir()
    assert "not empty" in run("farm", "restore", str(whole), work_dir=second).stderr
    (second / "farm.restoring").write_text("{}")
    done = run("farm", "restore", str(whole), work_dir=second)
    assert done.ok, done.stderr
    assert not (second / "output").exists()
    assert (second / "farm" / "farm.db").is_file()
    assert sorted(each.name for each in second.iterdir() if each.name != ".cache") == ["farm"]
    # The same when nothing but the mark is left to remove.
    (second / "farm.restoring").write_bytes((second / "farm" / "restored.json").read_bytes())
    assert run("farm", "restore", str(whole), work_dir=second).ok
    assert not (second / "farm.restoring").exists()


def test_what_is_no_backup_is_refused_and_nothing_is_left(
    run: Run, whole: Path, tmp_path: Path
) -> None:
    work_dir = tmp_path / "work"
    cut = tmp_path / "cut"
    cut.write_bytes(whole.read_bytes()[:-20])
    text = tmp_path / "text"
    text.write_text("hello")
    for file in (cut, text):
        done = run("farm", "restore", str(file), work_dir=work_dir)
        assert (done.status, file.name in done.stderr) == (31, True), done.stderr
        assert not (work_dir / "farm").exists()
    elsewhere = ("--set", "farm.database=postgresql://u@127.0.0.1:9/none")
    done = run(*elsewhere, "farm", "restore", str(whole), work_dir=work_dir)
    assert (done.status, "SQLite" in done.stderr) == (31, True)
    done = run("farm", "backup", str(tmp_path / "none"), work_dir=tmp_path / "work")
    assert (done.status, "no farm" in done.stderr) == (31, True)
    assert not (tmp_path / "none").exists()


def test_tokens_and_forms_beside_the_server(run: Run, tmp_path: Path) -> None:
    def well(*words: str) -> str:
        done = run("farm", *words, work_dir=tmp_path)
        assert done.ok, done.stderr
        return done.stdout

    secret = well("token", "add", "ada", "--scope", "admin", "--expires", "1h").strip()
    assert secret.startswith("lst_")
    (row,) = json.loads(well("token", "list", "--json"))
    assert (row["name"], row["scope"]) == ("ada", "admin")
    assert secret not in json.dumps(row)
    well("token", "remove", "ada")
    assert run("farm", "token", "remove", "ada", work_dir=tmp_path).status == 31
    well("migrate", "--down", "0001")
    refused = run("farm", "token", "list", work_dir=tmp_path)
    assert (refused.status, "farm migrate" in refused.stderr) == (31, True)
    well("migrate")
    assert json.loads(well("token", "list", "--json")) == []
