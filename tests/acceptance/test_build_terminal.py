"""``lapstrake build`` on a terminal: the line that changes, and the shell after a failure."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from roots import cli_command, cli_environment
from shop import Shop

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Screen:
    """What a program wrote to its terminal, and what we type."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.raw = ""

    @property
    def text(self) -> str:
        """Everything so far, without colours and cursor movements."""
        return _ESCAPE.sub("", self.raw)

    def type(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def wait_for(self, pattern: str, seconds: float = 60) -> None:
        """Read until a pattern was written."""
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, self.text[-2000:]
            assert self.read(), f"it ended before {pattern!r}: {self.text[-2000:]}"

    def read(self) -> bool:
        """Read what there is; False when nobody writes any more."""
        if not select.select([self._descriptor], [], [], 1.0)[0]:
            return True
        try:
            data = os.read(self._descriptor, 65536)
        except OSError:  # EIO: the other end is closed
            return False
        self.raw += data.decode("utf-8", "replace")
        return bool(data)


@contextmanager
def terminal(shop: Shop, *words: str) -> Iterator[tuple[Screen, subprocess.Popen[bytes]]]:
    """Run the program on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    os.system(f"stty cols 80 rows 24 < /proc/self/fd/{theirs}")
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *cli_command(*words)],
        env={**cli_environment(shop.work_dir), "TERM": "xterm"},
        cwd=shop.work_dir,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        yield Screen(ours), process
    finally:
        os.close(ours)  # whoever still runs hears a hang-up
        process.wait(60)


def test_one_line_that_changes(shop: Shop, branch: str) -> None:
    steps = (
        "echo words from the build; sleep 1.5; printf '\\033]0;title\\007\\033[31mred\\n'; sleep 1"
    )
    bundle = shop.bundle("shown", steps={"build": steps})
    with terminal(shop, "build", str(bundle), branch) as (screen, process):
        screen.wait_for(r"build: build +\d s +words from the build")
        while screen.read():
            pass
        assert process.wait(60) == 0
    assert "\x1b]0;" not in screen.raw, "a build cannot retitle the terminal"
    assert "\x1b[31mred" not in screen.raw
    rows = [row.rpartition("\r")[2] for row in screen.text.replace("\r\n", "\n").split("\n")]
    left = [row for row in rows if row.strip()]
    assert left[0] == str(shop.output(branch) / "shown_1-1_all.deb")
    assert left[1].startswith("built shown 1-1 in ")
    assert len(left) == 2, "nothing else stays"
    assert all(len(part) < 80 for part in re.split(r"[\r\n]", screen.text) if "⠋" in part)


def test_a_shell_where_a_build_failed(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("opened", steps={"build": "echo precious > file; false"})
    with terminal(shop, "build", "--shell-on-fail", str(bundle), branch) as (screen, process):
        screen.wait_for(r"[#$] $")
        screen.type("cat build/file; echo $NAME-$LAPSTRAKE_BRANCH; exit\n")
        screen.wait_for(rf"precious\r\n.*-{branch}\r\n")
        while screen.read():
            pass
        assert process.wait(60) == 14
    assert "error: the step 'build' failed" in screen.text


def test_without_a_terminal_there_is_no_shell(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("closed", steps={"build": "false"})
    failed = shop.fails(14, "build", "--shell-on-fail", str(bundle), branch)
    assert "a shell in its workspace" not in failed.stderr
    assert "no terminal" in failed.stderr


@pytest.mark.parametrize("key", ["\x03"], ids=["ctrl-c"])
def test_interrupted_by_hand(shop: Shop, branch: str, key: str) -> None:
    bundle = shop.bundle("stopped", steps={"build": "echo begun; sleep 600"})
    with terminal(shop, "build", str(bundle), branch) as (screen, process):
        screen.wait_for("begun")
        screen.type(key)
        while screen.read():
            pass
        assert process.wait(60) == 130
    assert "Traceback" not in screen.text
    assert "interrupted" in screen.text
    assert '"interrupted"' in shop.ok("history", "--json", "--branch", branch).stdout
