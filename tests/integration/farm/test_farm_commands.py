"""The commands about tasks and groups, on a real server whose builds are played by hand."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from farm_hand import HandWorker
from farm_server import FarmServer
from lapstrake.cli.main import main
from roots import cli_command, cli_environment

_BUNDLE = '[package]\nname = "{name}"\nversion = "1"\n\n[steps]\nbuild = "true"\n'

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    server: FarmServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs a command line; gives its exit status, stdout and stderr."""
    for name, value in cli_environment(tmp_path, LAPSTRAKE_SERVER=server.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        status = main(words)
        return status, *capsys.readouterr()

    return call


def bundle(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir(parents=True)
    (made / "lapstrake.toml").write_text(_BUNDLE.format(name=name))
    return made


def submitted(run: Run, *words: str) -> int:
    status, out, err = run("task", "submit", *words)
    assert status == 0, err
    return int(out)


def build(hand: HandWorker, task: int, **result: object) -> None:
    hand.claim(task)
    hand.write(task, "one\ntwo\n\x1b[2Jthree\n")
    hand.finish(task, **result)  # type: ignore[arg-type]


def ended(run: Run, task: int) -> None:
    while json.loads(run("task", "show", str(task), "--json")[1])["task"]["finished"] == 0:
        time.sleep(0.05)


def test_a_bundle_is_sent_once_and_built_with_the_options(
    run: Run, hand: HandWorker, server: FarmServer, tmp_path: Path
) -> None:
    folder = bundle(tmp_path, "greet")
    options = (
        *("--priority", "9", "--time", "2h", "--memory", "4G", "--no-publish"),
        *("--require", "cores=1", "--require", "memory=1M"),
    )
    first = submitted(run, str(folder), "stable", *options)
    copy = shutil.copytree(folder, tmp_path / "copy", copy_function=shutil.copy2)
    shown = json.loads(run("task", "show", str(first), "--json")[1])["task"]
    assert shown["priority"] == 9
    spec = shown["spec"]
    assert (spec["name"], spec["branch"]) == ("greet", "stable")
    assert (spec["seconds"], spec["memory"], spec["publish"]) == (7200, 4 << 30, False)
    assert (spec["requires"]["cores"], spec["requires"]["memory"]) == (1, 1 << 20)
    assert spec["bundle"].startswith("sha256:")
    second = submitted(run, str(copy), "stable", "--no-publish", "--fresh", "--name", "again")
    again = json.loads(run("task", "show", str(second), "--json")[1])["task"]["spec"]
    assert (again["bundle"], again["name"]) == (spec["bundle"], "again")
    packed = shutil.make_archive(str(tmp_path / "greet-1.0"), "gztar", tmp_path, "greet")
    third = submitted(run, packed, "stable", "--no-publish", "--fresh")
    archived = json.loads(run("task", "show", str(third), "--json")[1])["task"]
    assert archived["spec"]["name"] == "greet-1.0"
    build(hand, first, files={"greet.txt": b"x"})
    ended(run, first)
    status, out, _ = run("task", "artifacts", str(first), "--download", "out")
    assert (status, out) == (0, "out/greet.txt\n")
    assert Path("out/greet.txt").read_bytes() == b"x"
    assert "greet.txt" in run("task", "artifacts", str(first))[1]


def test_waiting_ends_with_the_builds_own_code(run: Run, hand: HandWorker) -> None:
    task = submitted(run, "apt:broken", "stable", "--no-publish")
    player = threading.Timer(
        0.5, build, (hand, task), {"ok": False, "error": "it broke", "exit_code": 14}
    )
    player.start()
    status, out, err = run("task", "log", "-f", str(task))
    player.join()
    assert (status, out) == (0, "one\ntwo\n\x1b[2Jthree\n")
    assert "failed" in err
    # The same again, with nothing changed, is refused by nobody: a failure is no result to share.
    words = ("task", "submit", "apt:broken", "stable", "--no-publish", "--follow")
    begun = threading.Event()

    def play() -> None:
        while not begun.wait(0.1):
            newest = json.loads(hand.client.get("/api/v1/tasks?limit=1").content)["items"][0]
            if newest["id"] > task and newest["state"] == "queued":
                begun.set()
                build(hand, newest["id"], ok=False, error="it broke", exit_code=14)

    thread = threading.Thread(target=play)
    thread.start()
    status, out, err = run(*words)
    thread.join()
    assert (status, out) == (14, "one\ntwo\n\x1b[2Jthree\n")
    assert "it broke" in err
    assert f"lapstrake why {task + 1}" in err


def test_a_log_is_shown_from_its_end(run: Run, hand: HandWorker) -> None:
    task = submitted(run, "apt:logged", "stable", "--no-publish")
    assert run("task", "log", str(task))[:2] == (0, "")
    hand.claim(task)
    hand.write(task, "".join(f"line {number}\n" for number in range(2000)))
    assert run("task", "log", "-n", "2", str(task))[1] == "line 1998\nline 1999\n"
    assert run("task", "log", "-n", "1500", str(task))[1].startswith("line 500\n")
    hand.finish(task)
    ended(run, task)
    assert run("task", "log", "-n", "1", "-f", str(task))[1] == "line 1999\n"
    status, _, err = run("task", "log", "--attempt", "7", str(task))
    assert (status, "attempt 7" in err) == (31, True)


def test_tasks_are_listed_changed_and_explained(run: Run) -> None:
    task = submitted(run, "apt:changed", "stable", "--name", "<b>", "--priority", "-3")
    assert "<b>" in run("task", "list", "--name", "<b>")[1]
    rows = json.loads(run("task", "list", "--state", "queued", "--json")[1])
    assert task in [row["id"] for row in rows]
    assert run("task", "priority", str(task), "-50")[0] == 0
    status, out, _ = run("why", str(task))
    assert status == 0
    assert out.startswith(f"task {task} (<b>) is queued\n")
    assert "why it waits\n" in out
    assert run("task", "cancel", str(task), "--reason", "not needed")[0] == 0
    out = run("why", str(task))[1]
    assert "before it was begun" in out
    assert "not needed" in out
    status, _, err = run("task", "cancel", str(task))
    assert status == 31
    assert "cancelled" in err
    assert run("task", "retry", str(task))[0] == 0
    assert json.loads(run("task", "show", str(task), "--json")[1])["task"]["priority"] == -50


def test_what_makes_no_sense_is_refused_here_or_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = {
        ("task", "submit", "apt:hello"): (2, "a branch is needed"),
        ("task", "submit", "apt:hello", "nowhere"): (31, "nowhere"),
        ("task", "submit", "./missing", "stable"): (6, "does not exist"),
        ("task", "submit", "empty", "stable"): (6, "holds no bundle"),
        ("task", "submit", "apt:hello", "stable", "--memory", "much"): (2, "--memory: 'much'"),
        ("task", "submit", "apt:hello", "stable", "--priority", "101"): (2, "101"),
        ("task", "submit", "apt:hello", "stable", "--require", "cores=many"): (2, "cores=many"),
        ("task", "submit", "apt:hello", "stable", "--require", "disk=much"): (2, "disk=much"),
        ("task", "submit", "apt:hello", "stable", "--require", "speed=9"): (2, "only cores"),
        ("task", "show", "999999"): (31, "no task 999999"),
        ("task", "show", "hello"): (2, "hello"),
        ("why", "999999"): (31, "no task 999999"),
        ("group", "show", "999999"): (31, "no group 999999"),
        ("group", "submit", "stable"): (2, "bundles and a branch"),
        ("farm", "drain", "nobody"): (31, "nobody"),
        ("farm", "forget", "nobody"): (31, "nobody"),
    }
    for words, (wanted, said) in cases.items():
        status, _, err = run(*words)
        assert (status, said in err) == (wanted, True), f"{words}: {status} {err}"
        assert wanted == 2 or "→" in err, f"{words}: {err}"


def test_a_project_is_sent_with_what_it_needs(run: Run, tmp_path: Path) -> None:
    for name, needs in (("lower", ""), ("upper", '[dependencies.lower]\npath = "../lower"\n')):
        folder = tmp_path / "both" / name
        folder.mkdir(parents=True)
        (folder / "lapstrake.toml").write_text(
            f'[package]\nname = "{name}"\ntype = "toolchain"\nversion = "1"\n'
            f'[platform]\nbuild = "mkdir tree"\noutput = "tree"\n{needs}'
        )
    words = ("task", "submit", "--artifact", "upper", "--json")
    status, _, err = run(*words, "both/upper")
    assert (status, "needs lower, which is not in both/upper" in err) == (26, True), err
    status, out, err = run(*words, "both")
    assert status == 0, err
    assert json.loads(out)["spec"]["package"] == "upper"


def test_a_group_is_built_in_order_and_shown(run: Run, hand: HandWorker, tmp_path: Path) -> None:
    for name in ("lower", "upper"):
        bundle(tmp_path, name)
    (tmp_path / "list").write_text("lower\nupper  # needs nothing, but is listed\n")
    status, out, err = run("group", "submit", "list", "stable", "--name", "both", "--json")
    assert status == 0, err
    group = json.loads(out)
    assert {each["name"] for each in group["members"]} == {"lower", "upper"}
    tasks = {each["name"]: each["task"] for each in group["members"]}
    for number in tasks.values():
        build(hand, number, ok=False, error="no luck")
    status, _, err = run("group", "wait", str(group["id"]))
    assert status == 32
    assert "no luck" in err
    out = run("group", "show", str(group["id"]))[1]
    assert "2 failed" in out
    assert "both" in run("group", "list")[1]
    assert run("group", "resume", str(group["id"]))[0] == 0
    assert run("group", "cancel", str(group["id"]))[0] == 0
    assert "cancelled" in run("group", "show", "-f", str(group["id"]))[1]


def test_the_farm_is_looked_at(run: Run, hand: HandWorker) -> None:
    assert "amd64" in run("farm", "status")[1]
    assert hand.name in run("farm", "workers")[1]
    assert "draining" in run("farm", "drain", hand.name)[2]
    assert "online" in run("farm", "drain", hand.name, "--off")[2]
    assert "{" not in run("farm", "queue")[1]
    assert isinstance(json.loads(run("farm", "queue", "--json")[1]), list)


def followers(hand: HandWorker) -> list[str]:
    """What the server has counted of those that began to follow a log."""
    lines = hand.client.get("/metrics").text.splitlines()
    return [line for line in lines if "http_requests_total" in line and "/log/events" in line]


def test_stopping_to_wait_does_not_stop_the_task(
    run: Run, hand: HandWorker, server: FarmServer, tmp_path: Path
) -> None:
    task, before = submitted(run, "apt:patient", "stable"), followers(hand)
    process = subprocess.Popen(
        cli_command("task", "log", "-f", str(task)),
        env=cli_environment(tmp_path, LAPSTRAKE_SERVER=server.url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 20
    while followers(hand) == before and time.monotonic() < until:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"task {task} goes on" in err
    assert json.loads(run("task", "show", str(task), "--json")[1])["task"]["state"] == "queued"


def test_who_waits_is_told_what_lacks(run: Run, server: FarmServer, tmp_path: Path) -> None:
    task = submitted(run, "apt:hello", "stable", "--no-publish", "--require", "loom")
    process = subprocess.Popen(
        cli_command("task", "wait", str(task)),
        env=cli_environment(tmp_path, LAPSTRAKE_SERVER=server.url),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    guard = threading.Timer(20, process.kill)
    guard.start()
    with process.stderr as lines:
        told = next((line for line in lines if line.startswith("→ ")), "")
    guard.cancel()
    process.kill()
    process.wait()
    assert "--capability loom" in told
    run("task", "cancel", str(task))


def test_what_is_set_wrong_is_said_with_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    status, _, err = run("--set", f"farm.token_file={tmp_path / 'none'}", "task", "list")
    assert (status, "token add" in err) == (3, True)
    monkeypatch.setenv("LAPSTRAKE_SERVER", "ftp://farm")
    status, _, err = run("task", "list")
    assert (status, "farm.server" in err) == (31, True)
