"""A machine with a live systemd: this host's files under a layer of its own, booted by nspawn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from lapstrake.host.process import find_program
from roots import SOURCE

_BOOT_SECONDS = 60.0
_OFF_SECONDS = 30.0
_BURIED_SECONDS = 10.0
_INIT = Path("/usr/lib/systemd/systemd")
_HOSTS_OWN = ("systemd-sysctl.service", "systemd-modules-load.service", "systemd-udevd.service")
_UP = frozenset({"running", "degraded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A running machine, with a loopback and no other network.

    Attributes:
        init: its process 1, as this host numbers it.
        root: its files, as this host sees them.
    """

    init: int
    root: Path

    @property
    def sources(self) -> str:
        """Where its Python finds Lapstrake."""
        return str(SOURCE)

    def command(self, *words: str, token: str = "") -> list[str]:
        """The words that run a program on it."""
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        said = {"PATH": path, "HOME": "/root", "LANG": "C.UTF-8", "PYTHONPATH": self.sources}
        assigned = [f"{name}={text}" for name, text in {**said, "LAPSTRAKE_TOKEN": token}.items()]
        return ["nsenter", "-t", str(self.init), "-a", "env", "-i", *assigned, *words]

    def run(self, *words: str, token: str = "") -> str:
        """Run a program on it that must go well; gives what it says."""
        done = subprocess.run(
            self.command(*words, token=token), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}\n{self.journal()}"
        return done.stdout

    def lapstrake(self, *words: str, token: str = "") -> str:
        """Run the program; gives what it says."""
        return self.run(sys.executable, "-m", "lapstrake", *words, token=token)

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, as ``systemctl show`` tells them."""
        lines = self.run("systemctl", "show", f"--property={','.join(properties)}", name)
        return dict(line.partition("=")[::2] for line in lines.splitlines())

    def journal(self) -> str:
        """What the farm's units have said so far, oldest first."""
        words = ("journalctl", "--no-pager", "-o", "cat", "-u", "lapstrake-*")
        done = subprocess.run(self.command(*words), capture_output=True, text=True)
        return done.stdout

    def write(self, path: str, text: str) -> None:
        """Have a file on it."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@contextmanager
def running_machine(binds: Mapping[Path, str]) -> Iterator[Machine]:
    """Boot one, until the block ends; skips where that cannot be.

    Args:
        binds: folders of this host → where they are on it. Its other files are in memory.
    """
    for program in (str(_INIT), "systemd-nspawn", "nsenter"):
        if find_program(program) is None:
            pytest.skip(f"needs {program}")
    with (
        tempfile.TemporaryDirectory(prefix="lapstrake-machine-") as folder,
        _root(folder) as root,
        _control_groups() as groups,
    ):
        output = Path(folder, "console")
        ours = {folder: str(folder) for folder in (SOURCE.parent, Path(sys.prefix))}
        process = _start(root, {**ours, **binds}, groups, output)  # it has a /tmp of its own
        try:
            yield Machine(init=_booted(process, output), root=root)
        finally:
            _turn_off(process)


@contextmanager
def _control_groups() -> Iterator[list[Path]]:
    """A group in each hierarchy, which is all that its systemd sees of them (cgroups(7))."""
    top, made = Path("/sys/fs/cgroup"), []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.removeprefix("name=").split(","):
            unified = name if (top / "cgroup.controllers").exists() else name or "unified"
            folder = top / unified / path.lstrip("/") / f"lapstrake-machine-{os.getpid()}"
            try:
                folder.mkdir(exist_ok=True)
            except OSError as refused:
                pytest.skip(f"needs control groups of its own: {refused}")
            made.append(folder)
    try:
        yield made
    finally:
        for folder in made:
            for group in (*sorted(folder.rglob("*/"), reverse=True), folder):
                _remove(group)


@contextmanager
def _root(folder: str) -> Iterator[Path]:
    """This host's files, which stay as they are, without the services that it has."""
    memory, root = Path(folder, "memory"), Path(folder, "root")
    memory.mkdir()
    root.mkdir()
    _mount("-t", "tmpfs", "lapstrake-test", str(memory))
    try:
        upper, work = memory / "upper", memory / "work"
        upper.mkdir()
        work.mkdir()
        _mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={work}", "o", str(root))
        try:
            services = root / "etc" / "systemd" / "system"
            subprocess.run(["rm", "-rf", services], check=True)
            services.mkdir(parents=True)
            for name in _HOSTS_OWN:  # what it set would be set for the host's kernel
                (services / name).symlink_to("/dev/null")
            yield root
        finally:
            subprocess.run(["umount", "-l", str(root)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(memory)], check=True)


def _turn_off(process: subprocess.Popen[bytes]) -> None:
    """Have nspawn end it in order; all of it dies with its process 1 when that takes too long."""
    if process.poll() is not None:
        return
    inside = psutil.Process(process.pid).children()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_OFF_SECONDS)
    except subprocess.TimeoutExpired:
        for init in inside:
            init.kill()
        process.wait(_OFF_SECONDS)


def _remove(group: Path) -> None:
    """Remove a control group: the kernel lets go of the last process a little after its end."""
    end = time.monotonic() + _BURIED_SECONDS
    while group.is_dir():
        with suppress(OSError):
            group.rmdir()
            return
        assert time.monotonic() < end, f"{group} has processes: {group}/cgroup.procs"
        time.sleep(0.05)


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no machine can be made here: {done.stderr.strip()}")


def _start(
    root: Path, binds: Mapping[Path, str], groups: list[Path], output: Path
) -> subprocess.Popen[bytes]:
    joins = "; ".join(f"echo 0 > {folder}/cgroup.procs" for folder in groups)
    words = [
        "systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--machine=lapstrake-test",
        "--register=no", "--keep-unit", "--link-journal=no", "--private-network",
        "--capability=all",
        *(f"--bind={ours}:{theirs}" for ours, theirs in binds.items()),
        "systemd.unit=multi-user.target", "systemd.log_target=console",
    ]  # fmt: skip
    with output.open("wb") as said:
        return subprocess.Popen(
            ["sh", "-c", f'{joins}; exec "$@"', "sh", *words],
            # Builds in it mount /proc and make control groups, as on a machine of their own.
            env={**os.environ, "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "1"},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )


def _booted(process: subprocess.Popen[bytes], output: Path) -> int:
    """Wait until it is up; gives its process 1."""
    end = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < end and process.poll() is None:
        children = psutil.Process(process.pid).children()
        if children:
            asked = ["nsenter", "-t", str(children[0].pid), "-a", "systemctl", "is-system-running"]
            state = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
            if state in _UP:
                return children[0].pid
        time.sleep(0.1)
    said = output.read_text("utf-8", "replace").strip().splitlines() or ["nothing said"]
    pytest.skip(f"systemd does not boot here: {said[-1]}")
