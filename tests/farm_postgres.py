"""PostgreSQL servers of our own for tests: started, stopped, killed and started again."""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ports import free_port

OWNER = "farm"
PASSWORD = "secret-of-the-farm"

# What was committed outlives its processes, but not a loss of power.
_FAST = ("fsync=off", "full_page_writes=off")
_ACCOUNT = "postgres"


@functools.cache
def _programs() -> Path | None:
    """The newest installed version's programs; Debian keeps them off PATH."""
    found = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    versions = sorted((int(each.parts[-3]), each.parent) for each in found)
    return versions[-1][1] if versions else None


def lacks_postgres() -> str:
    """Why no server can be run here; empty when one can."""
    if _programs() is None:
        return "PostgreSQL is not installed (apt install postgresql)"
    if os.geteuid() == 0:
        try:
            pwd.getpwnam(_ACCOUNT)
        except KeyError:
            return f"PostgreSQL does not run as root, and there is no account {_ACCOUNT}"
    return ""


@dataclass
class Postgres:
    """A server: its folder, its address and its life.

    Attributes:
        folder: where its data is; its owner is the account that runs it.
        address, port: where it listens.
        durable: keep what was committed through a loss of power (slow).
    """

    folder: Path
    address: str
    port: int
    durable: bool = False
    _counter: int = field(default=0, init=False)

    def url(self, database: str, user: str = OWNER, password: str = PASSWORD) -> str:
        """A database's address, as ``farm.database`` takes it."""
        return f"postgresql://{user}:{password}@{self.address}:{self.port}/{database}"

    def new_database(self, like: str = "") -> str:
        """Make a database; gives its address.

        Args:
            like: the address of one that it is a copy of, to which nobody is connected; else empty.
        """
        self._counter += 1
        name = f"farm_{os.getpid()}_{self._counter}"
        template = like.rpartition("/")[2] or "template1"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = [] if self.durable else [word for each in _FAST for word in ("-c", each)]
        listening = ["-c", f"listen_addresses={self.address}", "-c", f"port={self.port}"]
        more = ["-c", "unix_socket_directories=", "-c", "max_connections=200"]
        options = " ".join([*settings, *listening, *more])
        log = self.folder / "log"
        self._control("start", "-w", "-t", "60", "-l", str(log), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it in order: ``fast`` cuts off its clients, ``immediate`` is a crash."""
        self._control("stop", "-w", "-m", mode)

    def kill(self) -> None:
        """End all its processes with ``SIGKILL``, as the out-of-memory killer would."""
        first = int((self.folder / "data/postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for process in [first, *map(int, children)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        while Path(f"/proc/{first}").exists():
            time.sleep(0.01)

    def follow(self, primary: Postgres) -> None:
        """Become a standby of another server: its files, and from then on all that it writes."""
        source = primary.url("replication").rpartition("/")[0]
        words = ["-D", str(self.folder / "data"), "-d", source, "-X", "stream", "-R"]
        _as_account(["pg_basebackup", "--no-sync", "--checkpoint=fast", *words])

    def promote(self) -> None:
        """Become the primary, and wait until it is."""
        self._control("promote", "-w")

    def restart(self) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start()

    def initialise(self) -> None:
        """Make its files; whoever has the password comes from anywhere."""
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        shutil.chown(secret, *_account())
        words = ["-U", OWNER, f"--pwfile={secret}", "-A", "scram-sha-256", "-E", "UTF8"]
        _as_account(["initdb", "-D", str(self.folder / "data"), "--no-sync", "--locale=C", *words])
        rules = self.folder / "data/pg_hba.conf"
        rules.write_text("host all,replication all 0.0.0.0/0 scram-sha-256\n")

    def _control(self, *words: str) -> None:
        _as_account(["pg_ctl", "-s", "-D", str(self.folder / "data"), *words])


def _account() -> tuple[int, int]:
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    entry = pwd.getpwnam(_ACCOUNT)
    return entry.pw_uid, entry.pw_gid


def _as_account(words: Sequence[str]) -> None:
    """Run one of its programs; it refuses to be run by root."""
    programs = _programs()
    assert programs is not None
    user, group = _account()
    as_other: Any = {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}
    # Into a file, not a pipe: the server inherits it and would keep a pipe open.
    with tempfile.TemporaryFile() as said:
        done = subprocess.run(
            [str(programs / words[0]), *words[1:]], stdin=subprocess.DEVNULL, stdout=said,
            stderr=said, cwd="/", check=False, timeout=120, **as_other,
        )  # fmt: skip
        said.seek(0)
        assert done.returncode == 0, f"{words}: {said.read().decode()}"


@contextlib.contextmanager
def running_postgres(
    *, address: str = "127.0.0.1", durable: bool = False, primary: Postgres | None = None
) -> Iterator[Postgres]:
    """Run a server of our own with no databases; its files are removed at the end.

    Args:
        address: where it listens; a bridge's for workers in network namespaces.
        durable: write as carefully as in real life, for tests that cut the power.
        primary: the server whose standby it is.
    """
    if reason := lacks_postgres():
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="lapstrake-postgres-") as name:
        folder = Path(name)
        shutil.chown(folder, *_account())
        server = Postgres(folder, address, free_port(address), durable)
        if primary is None:
            server.initialise()
        else:
            server.follow(primary)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(AssertionError):
                server.stop("immediate")
