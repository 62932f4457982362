"""``env``, ``exec`` and ``shell`` as programs: what a caller sees of them."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from pathlib import Path

import pytest

from cross_project import DEBIAN, needs_cross_tools
from lapstrake.host.process import find_program
from roots import Completed, cli_command, cli_environment, run_cli

_PROJECT = """\
[project]
name = "blinky"

[dependencies.rpi]
path = "rpi"
"""
_SYSTEM = """\
[package]
name = "rpi"
type = "system"
version = "0.1"

[[site]]
url = "http://localhost:1/"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose only artifact is nowhere."""
    (tmp_path / "rpi").mkdir()
    (tmp_path / "lapstrake.toml").write_text(_PROJECT)
    (tmp_path / "rpi/lapstrake.toml").write_text(_SYSTEM)
    return tmp_path


def _exec(work_dir: Path, *words: str, **variables: str) -> Completed:
    needs_cross_tools()
    words = ("exec", "--target", "arm64", *words)
    return run_cli(*words, work_dir=work_dir, cwd=work_dir, timeout=60, **variables)


def test_the_status_is_the_commands(tmp_path: Path) -> None:
    done = _exec(tmp_path, "--", "sh", "-c", 'echo "$CC"; exit 7')
    assert (done.status, done.stdout) == (7, f"/usr/bin/{DEBIAN}-gcc\n")


def test_options_behind_the_command_are_the_commands(tmp_path: Path) -> None:
    assert _exec(tmp_path, "echo", "--target", "-n", "--").stdout == "--target -n --\n"


def test_a_command_that_is_not_there_or_cannot_run(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("x")
    script = tmp_path / "script"
    script.write_text("#!/nonexistent/sh\n")
    script.chmod(0o755)
    for word, status in (
        ("nosuch", 127), ("", 127), (str(plain), 126), (str(tmp_path), 126), (str(script), 127),
    ):  # fmt: skip
        done = _exec(tmp_path, "--", word)
        assert (done.status, done.stdout) == (status, ""), word
        assert "Traceback" not in done.stderr
        assert word in done.stderr


def test_it_is_the_command_that_runs_and_nothing_of_ours_stays(tmp_path: Path) -> None:
    """The process is the same; no signal is ignored, no mask and no file of ours is left."""
    needs_cross_tools()
    words = cli_command("exec", "--target", "arm64", "--", "sh", "-c")
    script = "umask; grep SigIgn /proc/self/status; ls /proc/$$/fd; echo $$; read _"
    process = subprocess.Popen(
        [*words, script], env=cli_environment(tmp_path), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, umask=0o027, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    lines = [process.stdout.readline().strip() for _ in range(6)]
    assert lines == ["0027", f"SigIgn:\t{0:016x}", "0", "1", "2", str(process.pid)]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT


def test_missing_artifacts_are_named_and_nothing_is_run(project: Path) -> None:
    for words in (("env",), ("exec", "touch", "made")):
        done = run_cli(*words, work_dir=project)
        assert (done.status, done.stdout) == (29, "")
        assert "rpi 0.1" in done.stderr
        assert "lapstrake artifact get" in done.stderr
    assert not (project / "made").exists()


def test_outside_of_any_project(tmp_path: Path) -> None:
    done = run_cli("env", work_dir=tmp_path)
    assert done.status == 26
    assert "lapstrake.toml" in done.stderr


def test_no_environment_where_it_is_switched_off(project: Path) -> None:
    script = 'echo "$CC$NERVES_SYSTEM"'
    words = ("exec", "sh", "-c", script)
    done = run_cli(*words, work_dir=project, NERVES_ENV_DISABLED="", CC="own")
    assert done.stdout == "own\n"
    assert run_cli("env", work_dir=project, NERVES_ENV_DISABLED="0").stdout == ""


def test_what_is_no_epoch_is_refused(tmp_path: Path) -> None:
    for wrong in ("12abc", "-1", " 5"):
        done = _exec(tmp_path, "--", "true", SOURCE_DATE_EPOCH=wrong)
        assert done.status in (3, 26), wrong
        assert "SOURCE_DATE_EPOCH" in done.stderr
    assert _exec(tmp_path, "sh", "-c", "echo $SOURCE_DATE_EPOCH", SOURCE_DATE_EPOCH="5").ok


def test_files_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "cross").write_text("in the way")
    done = _exec(tmp_path, "--", "true")
    assert done.status == 30
    assert str(tmp_path / "cross") in done.stderr


def test_a_shell_needs_a_terminal(tmp_path: Path) -> None:
    done = run_cli("shell", "--target", "arm64", work_dir=tmp_path)
    assert done.status == 2
    assert "needs a terminal" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "sh", "zsh", "fish"])
def test_a_shell_says_where_it_is(tmp_path: Path, shell: str) -> None:
    needs_cross_tools()
    program = find_program(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    (tmp_path / ".bashrc").write_text("PS1='own> '\n")
    child, terminal = pty.fork()
    if child == 0:
        variables = {**cli_environment(tmp_path, SHELL=str(program)), "TERM": "dumb"}
        words = cli_command("shell", "--target", "arm64")
        os.execve(words[0], words, variables)
    try:
        _until(terminal, f"({DEBIAN}) own> " if shell == "bash" else f"({DEBIAN}) ")
        os.write(terminal, b'echo "[$CONFIG_SITE]"; exit 9\r')
        _until(terminal, "config.site]")
        _until(terminal, "")  # whatever it still says, to its end
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    finally:
        os.close(terminal)


def _until(terminal: int, wanted: str) -> str:
    """Read a terminal until it shows something; to its end if that is nothing."""
    seen, deadline = "", time.monotonic() + 60
    while not wanted or wanted not in seen:
        assert select.select([terminal], [], [], deadline - time.monotonic())[0], seen
        try:
            data = os.read(terminal, 4096)
        except OSError:  # EIO: the other end is closed
            data = b""
        if not data:
            assert not wanted, seen
            break
        seen += data.decode(errors="replace")
    return seen
