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
    return set(MOUNT.rglob(f"lapstrake.{os.getpid()}.*"))


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
