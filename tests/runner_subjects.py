"""What the conformance suite of runners works with: one runner, one small root, helpers."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lapstrake.host.process import find_program
from lapstrake.names import GuestPath
from lapstrake.runner.base import Command, Outcome, Runner, Session
from lapstrake.runner.choose import load
from lapstrake.runner.docker import DockerRunner

BUILDROOT = GuestPath("/buildroot")
MakeLayer = Callable[[dict[str, str | None]], Path]
"""Makes a layer tree of files; ``None`` is overlayfs' mark for a name that is gone."""
_APPLETS_LEFT_OUT = {"setpriv"}  # the real one has more options

CALLS = r"""
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
static void tell(const char *name, long result) {
    printf("%s %s\n", name, result == -1 ? strerrorname_np(errno) : "OK");
}
int main(void) {
    char buffer[256] = {0};
    tell("mount", syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, ""));
    tell("unshare-user", syscall(SYS_unshare, 0x10000000));
    tell("unshare-net", syscall(SYS_unshare, 0x40000000));
    tell("clone-newns", syscall(SYS_clone, 0x00020000 | 17, 0, 0, 0, 0));
    tell("clone-newuser", syscall(SYS_clone, 0x10000000 | 0x40000000 | 17, 0, 0, 0, 0));
    tell("clone3", syscall(SYS_clone3, buffer, 88));
    tell("keyctl", syscall(SYS_keyctl, 0, -3, 1));
    tell("add_key", syscall(SYS_add_key, "user", "lapstrake", "x", 1, -3));
    tell("bpf", syscall(SYS_bpf, 0, buffer, 64));
    tell("vsock", socket(40, SOCK_STREAM, 0));
    tell("perf", syscall(SYS_perf_event_open, buffer, 0, -1, -1, 0));
    tell("userfaultfd", syscall(SYS_userfaultfd, 0));
    tell("io_uring", syscall(SYS_io_uring_setup, 4, buffer));
    tell("setns", syscall(SYS_setns, 0, 0));
    tell("inet", socket(AF_INET, SOCK_STREAM, 0));
    tell("unix", socket(AF_UNIX, SOCK_STREAM, 0));
    return 0;
}
"""
"""A program that makes forbidden calls and says what each was answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A runner to be tested.

    Attributes:
        name: of the parameter, such as ``userns-rootless``.
        runner: the runner.
        words: how another process makes the same one: its name and its program.
        root: a layer tree: busybox, a few more programs, an empty ``/buildroot``.
        folder: where workspaces and layers of the test go.
        uid: who runs it.
    """

    name: str
    runner: Runner
    words: tuple[str, str]
    root: Path
    folder: Path
    uid: int

    @property
    def rootless(self) -> bool:
        """Whether the runner's user is not root."""
        return self.uid != 0

    @contextmanager
    def session(self, *layers: Path, root: bool = True) -> Iterator[Session]:
        """A session over the root and more layers."""
        stack = (self.root, *layers) if root else layers
        with self.runner.open(stack, self.new_folder("work space:")) as session:
            yield session

    def new_folder(self, prefix: str = "folder") -> Path:
        """A new empty folder."""
        return Path(tempfile.mkdtemp(prefix=prefix, dir=self.folder))


def make_runner(name: str, program: str) -> Runner:
    """A runner by its name and, for engines, its program."""
    return DockerRunner(program) if name == "docker" else load(name)


def sh(session: Session, script: str, *words: str, **fields: Any) -> tuple[Outcome, str]:
    """Run a shell script in ``/buildroot``; gives how it ended and what it printed."""
    return run(session, "sh", "-c", script, "sh", *words, **fields)


def run(session: Session, *argv: str, **fields: Any) -> tuple[Outcome, str]:
    """Run a command in ``/buildroot``; gives how it ended and what it printed."""
    output: list[bytes] = []
    fields.setdefault("cwd", BUILDROOT)
    outcome = session.run(Command(argv=argv, **fields), on_output=output.append)
    return outcome, b"".join(output).decode("utf-8", "replace")


def said(session: Session, script: str, *words: str, **fields: Any) -> str:
    """What a shell script printed; it must succeed."""
    outcome, text = sh(session, script, *words, **fields)
    assert outcome.ok, (outcome, text)
    return text


def make_root(folder: Path) -> str:
    """Fill a folder as a small root; says what is missing for it."""
    busybox = find_program("busybox")
    if busybox is None:
        return "busybox is not installed (apt install busybox-static)"
    for name in ("bin", "etc", "tmp", "root", "var", "usr", "buildroot", "proc", "sys", "dev"):
        (folder / name).mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    shutil.copy(busybox, folder / "bin/busybox")
    listing = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True)
    for applet in listing.stdout.split():
        if applet not in _APPLETS_LEFT_OUT | {"busybox"}:
            (folder / "bin" / applet).symlink_to("busybox")
    (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/:\n")
    (folder / "etc/group").write_text("root:x:0:\nuser:x:1000:\n")
    (folder / "etc/shadow").write_text("root:*:1::::::\n")
    put_program(folder, "setpriv")
    return ""


def compile_calls(folder: Path) -> str:
    """Put the program of forbidden calls in a root; says what is missing for it."""
    compiler = find_program("gcc")
    if compiler is None:
        return "gcc is not installed"
    argv = [str(compiler), "-static", "-D_GNU_SOURCE", "-xc", "-", "-o", f"{folder}/bin/calls"]
    done = subprocess.run(argv, input=CALLS, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"gcc cannot link statically: {done.stderr[-200:]}"


def put_program(root: Path, name: str) -> None:
    """Copy a program of the host and the libraries it needs."""
    program = find_program(name)
    assert program is not None
    listing = subprocess.run(["ldd", program], capture_output=True, text=True, check=True)
    libraries = [word for word in listing.stdout.split() if word.startswith("/")]
    for file in (str(program), *libraries):
        place = root / file.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, place)
    if not (root / "bin" / name).exists():
        shutil.copy(program, root / "bin" / name)


def processes_with(word: str) -> list[int]:
    """The host's processes that have a word in their command line, but for ourselves."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
        except OSError:
            continue
        if word.encode() in words and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found
