"""Workers of a farm that run as users run them, and tasks for them."""

from __future__ import annotations

import io
import pwd
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import psutil

from roots import cli_command, cli_environment

_SECONDS = 60.0
LITTLE_DISK = {"LAPSTRAKE_FARM_DISK_LOW": "200MiB"}
"""For tests on machines whose disk is nearly full."""
ENDED = frozenset({"success", "failed", "error", "cancelled", "skipped"})


def engine_setting(work_dir: Path) -> str:
    """What lets workers of this machine use a SQLite farm's engine, as only the builder does."""
    return f"farm.worker_database=sqlite:///{work_dir}/farm/engine.db"


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmWorker:
    """A running worker.

    Attributes:
        name: on the farm.
        process: its supervisor.
        log: the file of all that it says.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def slots(self) -> list[psutil.Process]:
        """The processes of its slots."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.NoSuchProcess):  # it has just ended
                if "lapstrake.farm.worker.slot" in child.cmdline():
                    found.append(child)
        return found

    def said(self) -> str:
        """Everything it has said so far."""
        return self.log.read_text("utf-8", "replace")

    def tell(self, number: signal.Signals) -> None:
        """Send a signal to its supervisor."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end; gives its exit status."""
        return self.process.wait(_SECONDS)


@contextmanager
def farm_worker(
    url: str,
    work_dir: Path,
    *words: str,
    name: str = "w1",
    prefix: Sequence[str] = (),
    variables: Mapping[str, str] | None = None,
    user: str | None = None,
) -> Iterator[FarmWorker]:
    """Work for a farm until the block ends.

    Args:
        url: the server's.
        work_dir: the worker's own; the server's when ``--embedded`` is among the words.
        words: of the command line, after ``worker``.
        name: on the farm.
        prefix: the words of a program that runs it elsewhere.
        variables: of its environment: ``LAPSTRAKE_TOKEN``.
        user: who runs it, and owns the work folder; ourselves when ``None``.
    """
    account = pwd.getpwnam(user) if user else None
    log = work_dir / f"worker-{name}-{time.monotonic_ns()}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*prefix, *cli_command("worker", "--server", url, "--name", name, *words, user=user)],
            env=cli_environment(work_dir, user=user, **{**LITTLE_DISK, **(variables or {})}),
            cwd=work_dir,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
    try:
        yield FarmWorker(name=name, process=process, log=log)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def pack(folder: Path) -> bytes:
    """A bundle's folder as an archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(folder, arcname=folder.name)
    return buffer.getvalue()


def submit(client: httpx2.Client, archive: bytes, branch: str = "stable", **spec: object) -> int:
    """Submit a bundle; gives the task's number."""
    number = int(client.post("/task").raise_for_status().json()["id"])
    for path, body in (("build_bundle", archive), ("branch", branch.encode())):
        headers = {"Content-Type": "application/x-tar" if path != "branch" else "text/plain"}
        answer = client.put(f"/task/{number}/{path}", content=body, headers=headers)
        assert answer.status_code == 200, answer.text
    answer = client.put(f"/task/{number}/build", json=spec)
    assert answer.status_code == 200, answer.text
    return number


def wait_for(
    client: httpx2.Client, task: int, *states: str, seconds: float = _SECONDS
) -> dict[str, Any]:
    """Wait until a task is in a state, an ended one when none is given."""
    wanted = frozenset(states) or ENDED
    end = time.monotonic() + seconds
    while True:
        status: dict[str, Any] = client.get(f"/task/{task}/status").json()
        if status["state"] in wanted:
            return status
        assert time.monotonic() < end, status
        assert status["state"] not in ENDED, status
        time.sleep(0.05)


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.05)


def running(mark: str) -> list[int]:
    """The processes of this machine with a word in their command line."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark.encode() in words:
            found.append(int(folder.name))
    return found
