"""SIGKILL at every step that changes the disk: the published index holds, the next one repairs."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lapstrake.repository.flat import Repository

if TYPE_CHECKING:
    from .conftest import Apt, MakeDeb, MakeRepository

SOURCE = Path(__file__).resolve().parents[3] / "src"

VICTIM = """
import os, signal, sys
from functools import partial
from pathlib import Path
from lapstrake.repository.flat import Repository
from lapstrake.repository.signing import own_signer
from lapstrake.names import BranchName

top, what, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
here = str(top / "output")
steps = 0

def count(event, arguments):
    global steps
    if event not in ("os.rename", "os.link", "os.remove", "os.rmdir", "shutil.rmtree"):
        return
    if not any(here in str(argument) for argument in arguments):
        return
    steps += 1
    if steps == last:  # the hook is called before the step is done
        os.kill(os.getpid(), signal.SIGKILL)

repository = Repository(
    top / "output" / "stable", BranchName("stable"), partial(own_signer, top / "keys")
)
sys.addaudithook(count)
if what == "publish":
    repository.publish(sorted((top / "second").glob("*.deb")), "second")
else:
    repository.prune(keep=1)
"""


def stocked(make_deb: MakeDeb, repository: Repository, top: Path) -> None:
    """Two packages, one in two versions; beside them a second round: new ones and a rebuild."""
    repository.publish([make_deb("old"), make_deb("again", "1"), make_deb("again", "2")], "first")
    (top / "second").mkdir()
    for file in (make_deb("new"), make_deb("fresh"), make_deb("old", content="rebuilt")):
        file.rename(top / "second" / file.name)


def content(repository: Repository) -> set[tuple[str, str, str]]:
    return {(entry.package, entry.version, entry.build) for entry in repository.packages()}


BEFORE = {("old", "1.0", "first"), ("again", "1", "first"), ("again", "2", "first")}
AFTER = {
    "publish": {
        ("old", "1.0", "second"), ("again", "1", "first"), ("again", "2", "first"),
        ("new", "1.0", "second"), ("fresh", "1.0", "second"),
    },
    "prune": {("old", "1.0", "first"), ("again", "2", "first")},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("what", ["publish", "prune"])
def test_killed_anywhere(
    what: str,
    make_deb: MakeDeb,
    make_repository: MakeRepository,
    make_apt: Callable[..., Any],
    tmp_path: Path,
) -> None:
    repository = make_repository()
    stocked(make_deb, repository, tmp_path)
    subprocess.run(["cp", "-a", tmp_path / "output", tmp_path / "kept"], check=True)
    apt: Apt = make_apt()
    apt.use(repository.sources_text(f"file:{repository.path}"))
    extra = make_deb("extra")
    outcomes = []
    for step in range(1, 200):
        subprocess.run(["rm", "-rf", tmp_path / "output"], check=True)
        subprocess.run(["cp", "-a", tmp_path / "kept", tmp_path / "output"], check=True)
        words = [sys.executable, "-c", VICTIM, str(tmp_path), what, str(step)]
        environment = {"PYTHONPATH": str(SOURCE), "PATH": "/usr/bin:/bin"}
        status = subprocess.run(words, env=environment).returncode
        assert status in (0, -9)
        # At once: the index that is published is whole, and apt takes it.
        now = content(repository)
        assert now in (BEFORE, AFTER[what]), f"killed at step {step}"
        for entry in repository.packages():
            data = (repository.path / entry.location).read_bytes()
            assert hashlib.sha256(data).hexdigest() == entry.sha256, f"killed at step {step}"
        updated = apt.update()
        assert updated.returncode == 0, f"killed at step {step}: {updated.stderr}"
        # The next publication, of something else, finds everything in order or puts it so.
        repository.publish([extra], "third")
        assert content(repository) == now | {("extra", "1.0", "third")}
        assert repository.verify() == (), f"killed at step {step}"
        leftovers = [path.name for path in repository.path.rglob(".lapstrake-tmp.*")]
        assert leftovers == [], f"killed at step {step}"
        outcomes.append(now == BEFORE)
        if status == 0:
            break
    # Some kills came before the switch and some after it, and the last run was not killed.
    assert status == 0
    assert len(outcomes) > 8
    assert outcomes == sorted(outcomes, reverse=True)
    assert True in outcomes[:-1]
    assert False in outcomes[:-1]
