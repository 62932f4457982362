"""A work folder to make trouble in: tiny bundles, the program as a victim, and what it left."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lapstrake.build.record import BuildState, Records
from lapstrake.host import files
from lapstrake.names import BranchName
from lapstrake.repository.flat import Repository
from lapstrake.repository.signing import own_signer
from roots import Completed, cli_command, cli_environment, run_cli

_AGENT = ": gpg-agent "
_STORE = Path(".builder", "store")
_INSTALL = 'mkdir -p "$DESTDIR/usr/share/tiny"; echo hello > "$DESTDIR/usr/share/tiny/hello"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Victim:
    """A work folder with a base OS and the branch ``stable``, used as root or as a plain user."""

    work_dir: Path
    user: str | None = None

    def bundle(
        self,
        name: str = "tiny",
        *,
        version: str = "1",
        build: str = ":",
        install: str = _INSTALL,
        more: str = "",
    ) -> Path:
        """Write a native bundle that needs nothing; gives its folder."""
        folder = self.work_dir / "bundles" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lapstrake.toml").write_text(
            f"""[package]
name = "{name}"
version = "{version}"
description = "does this and that"
maintainer = "Nobody <nobody@example.org>"

{more}

[steps]
build = '''
{build}
'''
install = '''
{install}
'''
"""
        )
        for path in (folder.parent, folder):
            path.chmod(0o755)
        return folder

    def run(self, *words: str, timeout: float = 120, **variables: str) -> Completed:
        """Run the program to its end."""
        return run_cli(
            *words, work_dir=self.work_dir, user=self.user, timeout=timeout, cwd=None, **variables
        )

    def build(self, bundle: Path | str, *words: str, settings: tuple[str, ...] = ()) -> Completed:
        """Build a bundle on ``stable``."""
        options = [word for setting in settings for word in ("--set", setting)]
        return self.run(*options, "build", str(bundle), "stable", *words)

    def start(
        self, *words: str, terminal: int | None = None, **variables: str
    ) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own, both outputs in one pipe or a terminal."""
        account = pwd.getpwnam(self.user) if self.user else None
        controlling = ["setsid", "--ctty", "--wait"] if terminal is not None else []
        return subprocess.Popen(
            [*controlling, *cli_command(*words, user=self.user)],
            env=cli_environment(self.work_dir, user=self.user, PYTHONUNBUFFERED="1", **variables),
            cwd=self.work_dir,
            stdin=subprocess.DEVNULL if terminal is None else terminal,
            stdout=subprocess.PIPE if terminal is None else terminal,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )

    def start_at(self, marks: str, *words: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start the program and wait until a line of its output begins with a mark."""
        process = self.start(*words, terminal=None, **variables)
        assert process.stdout is not None
        seen = []
        for line in process.stdout:
            seen.append(line)
            if line.startswith(marks.encode()):
                return process
        process.wait()
        raise AssertionError(f"{marks!r} never came:\n" + b"".join(seen).decode())

    @property
    def output(self) -> Path:
        """The repository of the branch."""
        return self.work_dir / "output" / "stable"

    def repository(self) -> Repository:
        """The branch's repository, to look into."""
        keys = self.work_dir / "keys"
        return Repository(self.output, BranchName("stable"), lambda: own_signer(keys))

    def last_record(self) -> dict[str, Any]:
        """The newest build's record as it is on the disk."""
        newest = max(
            (self.work_dir / "builds").iterdir(), key=lambda folder: folder.stat().st_mtime_ns
        )
        record: dict[str, Any] = json.loads((newest / "record.json").read_text())
        return record

    def last_log(self) -> str:
        """The newest build's log."""
        newest = max(
            (self.work_dir / "builds").iterdir(), key=lambda folder: folder.stat().st_mtime_ns
        )
        return (newest / "build.log").read_text(errors="replace")

    def last_state(self) -> BuildState:
        """How the newest build stands for whoever looks."""
        records = Records(self.work_dir / "builds")
        return next(records.records()).state

    def half_made(self) -> list[Path]:
        """Workspaces and unfinished layers that are still there, with their locks."""
        folders = [self.work_dir / _STORE / name for name in ("workspaces", "unfinished")]
        return [entry for folder in folders if folder.is_dir() for entry in folder.iterdir()]

    def processes(self) -> list[str]:
        """Processes that have to do with this work folder: by arguments, folder, root or mounts."""
        found = _processes_about(str(self.work_dir))
        return sorted(line for line in found if _AGENT not in line)

    def agents(self) -> list[str]:
        """Agents of GnuPG for its keys; one that a killed run left is ended by the next run."""
        return [line for line in _processes_about(str(self.work_dir)) if _AGENT in line]

    def settles(self) -> list[str]:
        """The leftovers once those that are dying have had time to."""
        for _ in range(200):
            if not self.leftovers():
                break
            time.sleep(0.1)
        return self.leftovers()

    def leftovers(self) -> list[str]:
        """Everything that should not outlive a run, but for what the next run removes."""
        mounts = Path("/proc/self/mountinfo").read_text().splitlines()
        found = [line for line in mounts if str(self.work_dir) in line]
        return found + self.processes()


def _processes_about(text: str) -> Iterator[str]:
    for process in Path("/proc").iterdir():
        if not process.name.isdigit() or int(process.name) == os.getpid():
            continue
        try:
            said = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            links = [str((process / name).readlink()) for name in ("cwd", "root")]
            mounts = (process / "mountinfo").read_text()
        except OSError:  # it has ended
            continue
        if text in mounts or text in said or any(text in link for link in links):
            yield f"{process.name}: {said}"


@contextmanager
def open_victim(kind: str, request: pytest.FixtureRequest) -> Iterator[Victim]:
    """A work folder of this worker's own: root's with nspawn, or a plain user's with userns."""
    factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    name = f"victim{os.urandom(2).hex()}"
    if kind == "nspawn":
        base: Path = request.getfixturevalue("base_work_dir")
        user, target = None, factory.mktemp(name) / "work"
    else:
        user, base = request.getfixturevalue("rootless_work_dir")
        target = base.parent / f"{name}-{factory.getbasetemp().name}"
    try:
        yield Victim(work_dir=copy_work_dir(base, target), user=user)
    finally:
        files.remove_tree(target)


def control_groups(process: int) -> list[Path]:
    """The control groups that a process of ours made and did not remove."""
    groups = os.walk("/sys/fs/cgroup")  # unlike a pattern it bears that others remove theirs
    return [Path(group) for group, _, _ in groups if f"/lapstrake.{process}." in group]


def copy_work_dir(work_dir: Path, target: Path) -> Path:
    """A copy whose layers share their files, with the same owners; locks are its own."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--link", str(work_dir), str(target)], check=True)
    for file in (*(target / ".builder").rglob("*.json"), *(target / "conf").rglob("*.*")):
        _unlink_from_others(file)
    for locks in (".builder/locks", _STORE / "locks", _STORE / "leases"):
        for lock in (target / locks).glob("*"):
            _unlink_from_others(lock)
    shutil.rmtree(target / "builds", ignore_errors=True)
    return target


def _unlink_from_others(file: Path) -> None:
    """Make a file with several names a file of its own."""
    if not file.is_file():
        return
    copy = file.with_name(f"{file.name}.copy")
    subprocess.run(["cp", "-a", str(file), str(copy)], check=True)
    copy.replace(file)


@contextmanager
def small_disk(mount_point: Path, size: str, *, kind: str = "ext4") -> Iterator[Path]:
    """A file system of a few MiB that can be filled."""
    mount_point.mkdir(parents=True, exist_ok=True)
    image = mount_point.with_suffix(".image")
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs"]
    else:
        subprocess.run(["truncate", "-s", size, str(image)], check=True)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        command = ["mount", "-o", "loop", str(image)]
    subprocess.run([*command, str(mount_point)], check=True)
    try:
        yield mount_point
    finally:
        subprocess.run(["umount", "-l", str(mount_point)], check=True)
        image.unlink(missing_ok=True)
