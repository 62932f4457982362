"""The program's frame: help, options, completion, and that it stays light."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from lapstrake import __version__
from lapstrake.cli.lazy import CommandRow, LazyGroup
from lapstrake.cli.main import COMMANDS, cli

Run = Callable[..., "subprocess.CompletedProcess[str]"]
PRESENT = [row for row in COMMANDS if find_spec(row.target.partition(":")[0])]


def test_help_lists_every_command(lapstrake: Run) -> None:
    done = lapstrake("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for row in COMMANDS:
        assert f"  {row.name} " in done.stdout
        assert row.help in " ".join(done.stdout.split())


def test_no_subcommand_shows_the_help_and_fails(lapstrake: Run) -> None:
    done = lapstrake()
    assert done.returncode == 2
    assert "Usage: lapstrake" in done.stderr
    assert done.stdout == ""


def test_version(lapstrake: Run) -> None:
    assert lapstrake("--version").stdout == f"lapstrake {__version__}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("biuld",), "did you mean 'build'?"),
        (("zzzzzz",), "there is no command 'zzzzzz'"),
        (("--colour",), "--color"),
        (("-v", "-q", "config"), "exclude each other"),
        (("--set", "nonsense", "config"), "'nonsense' is not KEY=VALUE"),
        (("--color", "blue", "config"), "'blue' is not one of"),
        (("completion", "tcsh"), "'tcsh' is not one of"),
    ],
)
def test_wrong_command_lines(lapstrake: Run, words: tuple[str, ...], says: str) -> None:
    done = lapstrake(*words)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert "\n→ See `lapstrake" in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["biuld"]])
def test_the_frame_imports_no_command(environment: dict[str, str], words: list[str]) -> None:
    code = (
        "import sys; from lapstrake.cli.main import main; status = main(sys.argv[1:]); "
        "heavy = {'rich', 'pydantic', 'tomlkit', 'httpx2', 'tomllib', 'debian', 'psutil'};"
        "ours = {name for name in sys.modules if name.startswith('lapstrake.')};"
        "print('LOADED', *sorted(heavy & set(sys.modules)), *sorted(ours))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment, capture_output=True, text=True
    )
    loaded = done.stdout.partition("LOADED ")[2].split()
    assert [name for name in loaded if not name.startswith("lapstrake.cli")] == ["lapstrake.errors"]
    assert not {row.target.partition(":")[0] for row in COMMANDS} & set(loaded)


@pytest.mark.parametrize("row", PRESENT, ids=lambda row: row.name)
def test_commands_are_where_the_table_says(row: CommandRow) -> None:
    command = row.load()
    assert command.name == row.name
    assert command.help


def test_a_missing_module_breaks_only_its_own_command() -> None:
    rows = [CommandRow(name="gone", target="lapstrake.cli.gone_away:x", help="?", section="S")]
    group = LazyGroup("test", rows=rows)
    context = click.Context(group)
    assert "gone" in group.get_help(context)
    with pytest.raises(click.UsageError, match="lacks the command 'gone'"):
        group.get_command(context, "gone")


def test_a_broken_module_is_not_called_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_command.py").write_text("import surely_not_installed\n")
    monkeypatch.syspath_prepend(tmp_path)
    row = CommandRow(name="b", target="broken_command:b", help="?", section="S")
    with pytest.raises(ModuleNotFoundError, match="surely_not_installed"):
        row.load()
    with pytest.raises(TypeError, match="is not a command"):
        CommandRow(name="b", target="os:getcwd", help="?", section="S").load()


def test_names_are_unique_and_help_is_one_line() -> None:
    assert len({row.name for row in COMMANDS}) == len(COMMANDS)
    assert all(row.help.endswith(".") and len(row.help) <= 62 for row in COMMANDS)
    assert cli.name == "cli"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_accepted_by_their_shells(
    lapstrake: Run, tmp_path: Path, shell: str
) -> None:
    done = lapstrake("completion", shell)
    assert "_LAPSTRAKE_COMPLETE" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(done.stdout)
    subprocess.run([shell, "-n", "script"], cwd=tmp_path, check=True, timeout=30)


def test_completion_offers_commands_and_subcommands(lapstrake: Run) -> None:
    ask = {"_LAPSTRAKE_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert lapstrake(COMP_WORDS="lapstrake load", **ask).stdout == "plain,load-baseos\n"
    ask["COMP_CWORD"] = "2"
    assert lapstrake(COMP_WORDS="lapstrake config s", **ask).stdout == "plain,set\n"


def test_a_closed_pipe_is_quiet(environment: dict[str, str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "lapstrake", "config"],
            env=environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_colour_is_asked_for_or_refused(lapstrake: Run) -> None:
    wrong = ("config", "get", "nothing")
    assert "\x1b[" not in lapstrake(*wrong).stderr
    assert lapstrake("--color=always", *wrong).stderr.startswith("\x1b[1;31merror:\x1b[0m ")
    assert "\x1b[" in lapstrake(*wrong, FORCE_COLOR="1").stderr
    assert "\x1b[" not in lapstrake(*wrong, FORCE_COLOR="1", NO_COLOR="1").stderr
    assert "\x1b[" not in lapstrake("--color=never", *wrong, FORCE_COLOR="1").stderr
    assert "\x1b[" in lapstrake("--color=always", *wrong, NO_COLOR="1").stderr


def test_the_module_of_each_command_is_in_cli() -> None:
    for row in PRESENT:
        assert import_module(row.target.partition(":")[0]).__name__.startswith("lapstrake.cli.")
