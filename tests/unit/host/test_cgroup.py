"""Control groups that cannot be had whole, and whose settings are ours to change."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lapstrake.host import cgroup
from lapstrake.host.usage import Limits

MOUNT = Path("/sys/fs/cgroup")


def _left() -> set[Path]:
    groups = os.walk(MOUNT)  # unlike a pattern it bears that others remove theirs
    return {Path(each) for each, _, _ in groups if f"/lapstrake.{os.getpid()}." in each}


@pytest.fixture
def own_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A new group of version 2 with one below, on a host whose groups systemd manages."""
    rows = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    mount = next((Path(row[1]) for row in rows if row[2] == "cgroup2"), None)
    if os.geteuid() != 0 or mount is None or not os.access(mount, os.W_OK):
        pytest.skip("needs root and a writable hierarchy of control groups of version 2")
    top = mount / f"lapstrake-test-{os.getpid()}"
    (top / "below").mkdir(parents=True)
    monkeypatch.setattr(cgroup, "_MOUNT", mount)
    monkeypatch.setattr(cgroup, "_MANAGER", tmp_path)
    yield top
    (top / "below").rmdir()
    top.rmdir()


def test_a_group_whose_limits_are_refused_is_not_left_behind() -> None:
    possible = cgroup.create(Limits(processes=100))
    if possible is None:
        pytest.skip("no control groups may be made here")
    possible.remove()
    before = _left()
    assert cgroup.create(Limits(processes=-5)) is None  # which the kernel refuses
    assert _left() == before


@pytest.mark.parametrize("mark", ["trusted.delegate", "user.delegate"])
def test_only_what_systemd_gave_away_is_changed(own_part: Path, mark: str) -> None:
    assert not cgroup._is_ours(own_part / "below")
    os.setxattr(own_part, mark, b"0")
    assert not cgroup._is_ours(own_part / "below")
    os.setxattr(own_part, mark, b"1")
    assert cgroup._is_ours(own_part / "below")
    assert cgroup._is_ours(own_part)


def test_without_systemd_every_group_is_ours(
    own_part: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cgroup, "_MANAGER", tmp_path / "missing")
    assert cgroup._is_ours(own_part)


@pytest.mark.parametrize("given", [True, False])
def test_a_service_steps_aside_in_what_systemd_gave_it(own_part: Path, given: bool) -> None:
    if given:
        os.setxattr(own_part, "trusted.delegate", b"1")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        (own_part / "cgroup.procs").write_text("0")
        cgroup.step_aside()
        os.write(writing, Path("/proc/self/cgroup").read_bytes())
        alone = not (own_part / "cgroup.procs").read_text()
        os._exit(0 if alone == given else 1)
    os.close(writing)
    with os.fdopen(reading, "rb") as said:
        place = next(line for line in said.read().decode().splitlines() if line.startswith("0::"))
    assert os.waitpid(child, 0)[1] == 0
    assert place == f"0::/{own_part.name}{'/main' if given else ''}"
    if given:
        (own_part / "main").rmdir()
