"""A farm's server that runs as users run it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from roots import cli_command, cli_environment

_SECONDS = 60.0
_SMALL_DISK = "farm.disk_low=64MiB"  # tests run on what is left


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmServer:
    """A running server.

    Attributes:
        url: where it answers.
        process: of the server.
        log: the file of all that it says.
        work_dir: its work folder.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    work_dir: Path

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def client(self, token: str = "", **options: object) -> httpx2.Client:
        """A client that follows nothing and asks no proxy."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        settings = {"headers": headers, "trust_env": False, "timeout": 60, **options}
        return httpx2.Client(base_url=self.url, **settings)  # type: ignore[arg-type]

    def said(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text("utf-8", "replace")

    def stop(self) -> int:
        """Tell it to stop, and wait; gives its exit status."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """As a crash would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def farm_server(
    work_dir: Path,
    *words: str,
    slots: int = 0,
    database: str = "",
    listen: str = "127.0.0.1:0",
    settings: tuple[str, ...] = (),
    variables: Mapping[str, str] | None = None,
) -> Iterator[FarmServer]:
    """Serve a farm until the block ends; a second one in the same work folder goes on with it.

    Args:
        work_dir: made when missing.
        words: of the command line, after ``serve``.
        slots: builds at a time of the server itself.
        database: PostgreSQL's address; empty for SQLite.
        listen: where; a free port when it is 0.
        settings: ``KEY=VALUE``, as for ``--set``.
        variables: of its environment.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    given = (
        _SMALL_DISK,
        *settings,
        *((f"farm.database={database}",) if database else ()),
    )
    options = [word for text in given for word in ("--set", text)]
    log = work_dir / f"farm-{time.monotonic_ns()}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            cli_command(*options, "serve", "--listen", listen, "--slots", str(slots), *words),
            env=cli_environment(work_dir, **(variables or {})),
            cwd=work_dir,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    server = None
    try:
        server = FarmServer(url=_address(process, log), process=process, log=log, work_dir=work_dir)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait until it says where it answers."""
    end = time.monotonic() + _SECONDS
    while time.monotonic() < end:
        text = log.read_text("utf-8", "replace")
        for line in text.splitlines():
            if line.startswith("serving on "):
                return line.removeprefix("serving on ").strip()
        if process.poll() is not None:
            raise AssertionError(f"the server ended ({process.returncode}):\n{text}")
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer:\n{log.read_text()}")
