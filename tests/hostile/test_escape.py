"""A build that tries to get out: one build tries everything and tells what it reached."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from trouble import Victim

_ATTEMPTS = Path(__file__).with_name("attempts.sh")
_FUSE = "10 229"  # a device that every host has and that harms nobody
_HARMLESS = (
    "canary", "canary-by-proc", "environment", "host-port", "abstract-socket", "vsock", "mount",
    "unshare", "device-in-/tmp", "io-uring", "keyring", "immutable",
)  # fmt: skip


@dataclass(frozen=True)
class Bait:
    """What there is on the host to be reached."""

    canary: Path
    port: int
    abstract: str

    def words(self) -> tuple[str, ...]:
        """Arguments of the script of attempts."""
        return (str(self.canary), str(self.port), self.abstract, str(os.getpid()), _FUSE)


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Bait]:
    canary = Path("/var/tmp") / f"lapstrake-canary-{os.getpid()}"
    name = canary.name
    with ExitStack() as held:
        canary.write_text("the host's secret")
        held.callback(canary.unlink)
        listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = held.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{name}")
        abstract.listen()
        yield Bait(canary=canary, port=listener.getsockname()[1], abstract=name)


def _reached(text: str) -> set[str]:
    assert "ALL TRIED" in text
    return {line.partition(" ")[2] for line in text.splitlines() if line.startswith("REACHED")}


def test_the_host_itself_can_reach_what_is_tried(bait: Bait) -> None:
    """Otherwise the next test could not fail."""
    done = subprocess.run(
        ["unshare", "-m", "bash", str(_ATTEMPTS), *bait.words(), *_HARMLESS],
        env={"PATH": os.environ["PATH"], "CANARY_OF_THE_HOST": "secret"},
        capture_output=True,
        text=True,
    )
    missed = set(_HARMLESS) - _reached(done.stdout)
    # These a host may lack or forbid for reasons of its own.
    assert missed <= {"vsock", "io-uring", "keyring", "immutable", "device-in-/tmp"}, done.stderr


def test_a_build_reaches_nothing_of_the_host(victim: Victim, bait: Bait) -> None:
    words = " ".join(f"'{word}'" for word in bait.words())
    script = f'bash "$LAPSTRAKE_BUILDROOT/bundle/attempts.sh" {words}'
    bundle = victim.bundle("escape", build=script)
    shutil.copy(_ATTEMPTS, bundle)
    core_pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    done = victim.run("build", str(bundle), "stable", CANARY_OF_THE_HOST="secret")
    assert done.ok, done.stderr
    assert _reached(victim.last_log()) == set()
    assert Path("/proc/sys/kernel/core_pattern").read_text() == core_pattern
    assert [each for each, _, _ in os.walk("/sys/fs/cgroup") if each.endswith("/owned")] == []
    assert victim.leftovers() == []
