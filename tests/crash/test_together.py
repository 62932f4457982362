"""Several at once: builds of one bundle, of several, and what they share."""

from __future__ import annotations

import subprocess

from trouble import Victim


def _end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    said, _ = process.communicate(timeout=120)
    return process.returncode, said.decode()


def test_two_builds_of_one_bundle(victim: Victim) -> None:
    bundle = victim.bundle("twin", build="sleep 0.5")
    running = [victim.start("build", str(bundle), "stable") for _ in range(2)]
    for status, said in map(_end, running):
        assert status == 0, said
    assert victim.half_made() == []
    assert victim.repository().verify() == ()
    assert [entry.package for entry in victim.repository().packages()].count("twin") == 1


def test_many_builds_with_the_same_new_dependency(victim: Victim) -> None:
    names = [f"many{number}" for number in range(4)]
    more = '[depends]\nbuild = ["tree"]'
    bundles = [victim.bundle(name, more=more, build="command -v tree") for name in names]
    running = [victim.start("build", str(bundle), "stable") for bundle in bundles]
    ended = [_end(process) for process in running]
    for status, said in ended:
        assert status == 0, said
    assert sum("Setting up tree" in said for _, said in ended) <= 1
    assert set(names) <= {entry.package for entry in victim.repository().packages()}
    assert victim.repository().verify() == ()
    assert victim.half_made() == []


def test_a_starting_run_leaves_others_alone(victim: Victim) -> None:
    """It removes what killed runs left, and only that."""
    slow = victim.start_at(
        ">>> build:", "build", str(victim.bundle("slow", build="sleep 3")), "stable"
    )
    for _ in range(3):
        assert victim.build(victim.bundle("tiny")).ok
    status, said = _end(slow)
    assert status == 0, said
    assert victim.half_made() == []
