"""Exceptions become messages and exit codes; signals end the work with its cleanup."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lapstrake.cli.errors import message

Script = Callable[[str], list[str]]

SLEEPER = """\
try:
    Path("started").touch()
    time.sleep(60)
finally:
    Path("cleaning").touch()
    time.sleep(float(os.environ.get("CLEANUP", "0")))
    Path("cleaned").touch()
return 0
"""


def run(
    argv: list[str], environment: dict[str, str], tmp_path: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        env={**environment, **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )


def start(argv: list[str], environment: dict[str, str], tmp_path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        argv, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    wait_for(tmp_path / "started")
    return process


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


def test_a_folder_that_is_gone(script: Script, environment: dict[str, str], tmp_path: Path) -> None:
    body = "os.mkdir('x'); os.chdir('x'); os.rmdir('../x'); Path.cwd()"
    done = run(script(body), environment, tmp_path)
    assert done.returncode == errors_code("UsageError")
    assert "the current folder does not exist any more" in done.stderr


def test_our_errors(script: Script, environment: dict[str, str], tmp_path: Path) -> None:
    body = "raise errors.ChecksumError('brief', details='a\\nb\\n', resolution='Do it.')"
    done = run(script(body), environment, tmp_path)
    assert done.returncode == errors_code("ChecksumError")
    assert done.stderr == "error: brief\na\nb\n→ Do it.\n"
    assert done.stdout == ""


def errors_code(name: str) -> int:
    from lapstrake import errors

    code: int = getattr(errors, name).exit_code
    return code


def test_the_works_own_status(script: Script, environment: dict[str, str], tmp_path: Path) -> None:
    done = run(script("print('out')\nreturn 7"), environment, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\n", "")


def test_control_characters_of_others_are_shown_not_obeyed() -> None:
    text = message("a\x1b]0;title\x07b", details="x\r\x9by\tz\n", resolution="Ä →")
    assert text == "error: a\\x1b]0;title\\x07b\nx\\x0d\\x9by\tz\n→ Ä →"


def test_a_bug_is_reported_without_a_traceback(
    script: Script, environment: dict[str, str], tmp_path: Path
) -> None:
    done = run(script("raise KeyError('secret place')"), environment, tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "KeyError: 'secret place'" in done.stderr
    (report,) = (tmp_path / "home/.local/state/lapstrake").iterdir()
    assert str(report) in done.stderr
    assert "Traceback" in report.read_text()


@pytest.mark.parametrize("variables", [{"LAPSTRAKE_DEBUG": "1"}, {"XDG_STATE_HOME": "/dev/null/x"}])
def test_the_traceback_is_shown_when_asked_for_or_when_it_cannot_be_kept(
    script: Script, environment: dict[str, str], tmp_path: Path, variables: dict[str, str]
) -> None:
    done = run(script("raise KeyError('k')"), environment, tmp_path, **variables)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert not (tmp_path / "home/.local").exists()


@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_signals_end_the_work_with_its_cleanup(
    script: Script, environment: dict[str, str], tmp_path: Path, number: int, status: int
) -> None:
    process = start(script(SLEEPER), environment, tmp_path)
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == status
    assert (tmp_path / "cleaned").exists()
    assert stderr.startswith("error: interrupted")
    assert "Traceback" not in stderr


def test_a_second_sigterm_does_not_stop_the_cleanup(
    script: Script, environment: dict[str, str], tmp_path: Path
) -> None:
    process = start(script(SLEEPER), {**environment, "CLEANUP": "0.5"}, tmp_path)
    process.send_signal(signal.SIGTERM)
    wait_for(tmp_path / "cleaning")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 143
    assert (tmp_path / "cleaned").exists()


def test_nohup_is_respected(script: Script, environment: dict[str, str], tmp_path: Path) -> None:
    body = "os.kill(os.getpid(), signal.SIGHUP)\nreturn 5"
    argv = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *script(body)]
    assert run(argv, environment, tmp_path).returncode == 5


def test_handlers_are_put_back(script: Script, environment: dict[str, str], tmp_path: Path) -> None:
    body = "return 0"
    argv = script(body)
    Path(argv[1]).write_text(
        Path(argv[1]).read_text().replace("sys.exit(run_guarded(work))", "run_guarded(work)")
        + "print(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL)\n"
    )
    assert run(argv, environment, tmp_path).stdout == "True\n"


def test_a_full_stdout_is_an_error(
    script: Script, environment: dict[str, str], tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            script("print('x')\nreturn 0"),
            env=environment,
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
        )
    assert done.returncode == errors_code("StoreError")
    assert done.stderr.startswith("error: No space left on device\n→ Make room")


def test_what_the_system_refuses_names_the_file(
    script: Script, environment: dict[str, str], tmp_path: Path
) -> None:
    done = run(script("Path('/proc/none').write_text('')"), environment, tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: /proc/none: No such file or directory\n→ ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_closed_stream_is_no_error(
    stream: str, script: Script, environment: dict[str, str], tmp_path: Path
) -> None:
    number = ["stdin", "stdout", "stderr"].index(stream)
    work = f"print('x')\nassert sys.{stream}.fileno() == {number}\nreturn 3"
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {number}>&-', "sh", *script(work)],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout == ("" if stream == "stdout" else "x\n")
