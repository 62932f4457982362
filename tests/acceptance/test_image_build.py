"""`lapstrake image`: images from the command line, and what it says to mistakes."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

import pytest

from lapstrake.errors import ImageError, MissingError, UsageError
from roots import Completed, cli_command, cli_environment, clone, run_cli

ALONE = ("--set", "images.always=")


@pytest.fixture(scope="module")
def folder(base_work_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(base_work_dir, tmp_path_factory.mktemp("cli") / "work")


def image(folder: Path, *words: str, epoch: str = "") -> Completed:
    return run_cli(*ALONE, "image", *words, work_dir=folder, SOURCE_DATE_EPOCH=epoch)


def digest(done: Completed) -> str:
    assert done.ok, done.stderr
    found: str = json.loads(done.stdout)["oci"]["digest"]
    return found


def test_equal_requests_at_one_time_make_one_image(folder: Path) -> None:
    done: list[Completed] = []
    wishes = (("hello", "nano"), ("nano", "hello"))
    threads = [
        threading.Thread(target=lambda w=words: done.append(image(folder, "build", *w, "--json")))
        for words in wishes
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert digest(done[0]) == digest(done[1])
    assert sum("packing" in each.stderr for each in done) == 1


def test_an_image_is_listed_looked_at_and_forgotten(folder: Path) -> None:
    wanted = digest(image(folder, "build", "hello", "--json"))
    listed = json.loads(image(folder, "ls", "--json").stdout)
    assert wanted in {entry["oci"]["digest"] for entry in listed}
    documented = (Path(__file__).parents[2] / "docs/reference/json-output.md").read_text()
    keys = {*listed[0], *listed[0]["request"], *listed[0]["layers"][0], *listed[0]["oci"]}
    assert not {key for key in keys if f"`{key}`" not in documented}
    shown = image(folder, "inspect", wanted)
    assert "hello_" in shown.stdout
    assert "configuration" in shown.stdout
    for name in ("hello", "hello:stable", wanted.removeprefix("sha256:")[:12]):
        assert image(folder, "inspect", name).stdout == shown.stdout
    assert image(folder, "rm", wanted).ok
    gone = image(folder, "inspect", wanted)
    assert gone.status == ImageError.exit_code
    assert "there is no image" in gone.stderr
    assert digest(image(folder, "build", "hello", "--json")) == wanted


def test_killed_in_the_middle_the_next_run_makes_the_same(folder: Path) -> None:
    whole = digest(image(folder, "build", "hello", "nano", "--json"))
    assert image(folder, "rm", whole).ok
    for moment in (0.5, 1.0, 1.5):
        words = cli_command(*ALONE, "image", "build", "hello", "nano", "sed")
        process = subprocess.Popen(
            words, env=cli_environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moment)
        process.kill()
        process.wait()
    again = image(folder, "build", "hello", "nano", "sed", "--json")
    assert digest(again)
    assert digest(image(folder, "build", "hello", "nano", "--json")) == whole


def test_a_build_says_what_it_wrote(folder: Path, tmp_path: Path) -> None:
    target = f"oci:{tmp_path}/layout:hello"
    done = image(folder, "build", "hello", "-o", target, "--created", "2024-05-01T00:00:00Z")
    assert done.ok, done.stderr
    assert (tmp_path / "layout" / "index.json").is_file()
    assert target in done.stderr
    epoch = image(folder, "build", "hello", "--json", epoch="1714521600")
    assert digest(epoch) in done.stdout


def test_layers_are_shown_as_they_will_be(folder: Path) -> None:
    words = ("hello", "nano", "--budget", "4")
    shown = json.loads(image(folder, "layers", *words, "--json").stdout)
    made = json.loads(image(folder, "build", *words, "--json").stdout)["layers"]
    packages = [
        sorted(member.split("_")[0] for member in layer["members"])
        for layer in made
        if layer["what"] == "packages"
    ]
    assert [sorted(group["members"]) for group in shown] == packages
    assert len(made) == 4


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("build",), UsageError.exit_code, "no package is named"),
        (("build", "hello", "-b", "../x"), UsageError.exit_code, "not a branch name"),
        (("build", "hello", "-b", "nosuch"), 5, "nosuch"),
        (("build", "hello", "--arch", "vax"), UsageError.exit_code, "'vax'"),
        (("build", "hello", "--env", "A"), UsageError.exit_code, "--env"),
        (("build", "hello", "--cmd", "[1]"), UsageError.exit_code, "--cmd"),
        (("build", "hello", "--created", "soon"), UsageError.exit_code, "'soon'"),
        (("build", "hello", "--created", "9" * 14), UsageError.exit_code, "is no time"),
        (("build", "hello", "-o", "floppy:A"), UsageError.exit_code, "floppy"),
        (("build", "hello", "-o", "oci:/nosuch/dir"), ImageError.exit_code, "/nosuch"),
        (("build", "Hello", "nosuch1"), MissingError.exit_code, "Hello"),
        (("build", "nosuch1", "hello", "nosuch2"), MissingError.exit_code, "nosuch1, nosuch2"),
    ],
)
def test_mistakes(folder: Path, words: tuple[str, ...], code: int, told: str) -> None:
    done = image(folder, *words)
    assert (done.status, told in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr
