"""Run a program and wait for it: a clean environment, no shell, always a deadline.

What runs *inside a root* goes through `lapstrake.host.sandbox`; this module is for the host's own
programs (git, gpg, mmdebstrap, docker ...).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lapstrake.errors import LapstrakeError

PASSED_ON = (
    "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_RUNTIME_DIR",
    "http_proxy", "https_proxy", "ftp_proxy", "no_proxy", "all_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_HOST", "SSH_AUTH_SOCK", "SOURCE_DATE_EPOCH",
)  # fmt: skip
"""The variables of our environment that a program of the host may see; nothing else leaks."""

_TAIL_LINES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that ran to its end: its exit status and what it printed."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """What it printed, as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode("utf-8", "replace")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Build a program's environment from the allow-list `PASSED_ON` and what the caller adds."""
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment["LC_ALL"] = "C.UTF-8"
    environment.update(extra or {})
    return environment


def find_program(name: str) -> Path | None:
    """Find a program on PATH (and in the sbin folders, which users' paths often lack)."""
    path = os.environ.get("PATH", os.defpath)
    found = shutil.which(name, path=f"{path}:/usr/sbin:/sbin")
    return Path(found) if found else None


def require_program(name: str, *, package: str, error: type[LapstrakeError]) -> Path:
    """Find a program or raise `error`, naming the Debian package that has it."""
    found = find_program(name)
    if found is None:
        raise error(
            f"the program {name} is not installed", resolution=f"Install it: apt install {package}"
        )
    return found


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    error: type[LapstrakeError],
    doing: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | int = b"",
    allowed: Sequence[int] = (0,),
    on_started: Callable[[Callable[[], None]], None] | None = None,
) -> Completed:
    """Run a program to its end.

    Args:
        argv: the program and its arguments; never a secret, since anybody may read them.
        timeout: seconds, after which the program and its whole process group are killed.
        error: raised, with the program's last lines, when the status is not in `allowed`.
        doing: what this is for, as in "fetching hello from git"; the error's brief starts with it.
        cwd: the working directory.
        env: variables in addition to the allow-list.
        stdin: what the program reads, or a descriptor that it reads from.
        allowed: the exit statuses that are no error.
        on_started: given a function that kills the program, for another thread that gives it up.
    """
    words = [str(word) for word in argv]
    what = doing or f"running {Path(words[0]).name}"
    try:
        process = subprocess.Popen(
            words,
            stdin=stdin if isinstance(stdin, int) else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=clean_environment(env),
            start_new_session=True,
        )
    except FileNotFoundError as missing:
        raise error(f"{what}: {missing.filename} does not exist") from missing
    try:
        if on_started is not None:
            on_started(lambda: _signal_group(process))
        stdout, stderr = process.communicate(
            None if isinstance(stdin, int) else stdin, timeout=timeout
        )
    except subprocess.TimeoutExpired as late:
        _kill_group(process)
        raise error(
            f"{what}: no end after {timeout:.0f} s", details=tail(late.stderr or b"")
        ) from late
    except BaseException:
        _kill_group(process)
        raise
    if process.returncode not in allowed:
        raise error(
            f"{what}: {Path(words[0]).name} ended with status {process.returncode}",
            details=tail(stderr or stdout),
        )
    return Completed(argv=tuple(words), status=process.returncode, stdout=stdout, stderr=stderr)


@contextlib.contextmanager
def open_output(
    argv: Sequence[str | Path],
    *,
    errors: BinaryIO,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program whose standard output is read as it comes; killed at the end of the block.

    Args:
        argv: the program and its arguments.
        errors: a file that takes what it says on standard error.
        env: variables in addition to the allow-list.
    """
    process = subprocess.Popen(
        [str(word) for word in argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        env=clean_environment(env),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _kill_group(process)


def tail(output: bytes, lines: int = _TAIL_LINES) -> str:
    """The last lines of a program's output, as text."""
    return "\n".join(output.decode("utf-8", "replace").rstrip().splitlines()[-lines:])


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that was started as the leader of its own group, and reap it."""
    _signal_group(process)
    process.communicate()


def _signal_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a program's group, unless it was reaped: its number may be another's by then."""
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
