"""Groups: order, overlap, failures, stop, resume, signals."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

from shop import Shop, content


def group(shop: Shop, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    """Build a group; gives the members by their names' last parts."""
    done = shop.run("build", "--group", "--json", *words)
    assert done.status == code, done.stderr[-3000:]
    return {Path(row["name"]).name: row for row in json.loads(done.stdout)}


def record_of(shop: Shop, member: dict[str, Any]) -> Any:
    return json.loads((shop.records() / member["record"] / "record.json").read_text())


def states(members: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: row["state"] for name, row in members.items()}


def test_a_later_member_is_built_with_an_earlier_ones_package(shop: Shop, branch: str) -> None:
    """The list names them in the wrong order; the middle one is needed only at run time."""
    low = shop.bundle("lower")
    middle = shop.bundle("middle", extra='[depends]\nrun = ["lower"]')
    top = shop.bundle(
        "upper",
        install='install -D -m 644 /usr/share/lower/hi "$DESTDIR/usr/share/upper/hi"',
        extra='[depends]\nbuild = ["middle (>= 1)"]',
    )
    members = group(shop, str(top), str(middle), str(low), branch)
    assert list(members)[-1] == "upper"
    assert set(members["upper"]["needs"]) == {str(low), str(middle)}
    assert set(states(members).values()) == {"built"}
    record = record_of(shop, members["upper"])
    assert record["inputs"]["packages"] == ["lower=1-1", "middle=1-1"]
    assert "/usr/share/upper/hi" in content(shop.output(branch) / "upper_1-1_all.deb")


def test_independent_members_overlap(shop: Shop, branch: str) -> None:
    names = [str(shop.bundle(name, steps={"build": "sleep 4"})) for name in ("east", "west")]
    members = group(shop, "--workers", "2", *names, branch)
    east, west = (record_of(shop, members[name]) for name in ("east", "west"))
    overlap = min(east["finished"], west["finished"]) - max(east["started"], west["started"])
    assert overlap > 2


def test_a_failure_skips_only_what_needs_it(shop: Shop, branch: str) -> None:
    bad = shop.bundle("bad", steps={"build": "exit 5"})
    child = shop.bundle("child", extra='[depends]\nbuild = ["bad"]')
    grandchild = shop.bundle("grandchild", extra='[depends]\nbuild = ["child"]')
    good = shop.bundle("good")
    words = [str(bundle) for bundle in (bad, child, grandchild, good)]
    members = group(shop, *words, branch, code=21)
    assert states(members) == {
        "bad": "failed",
        "child": "skipped",
        "grandchild": "skipped",
        "good": "built",
    }
    assert "'build' failed with status 1" in members["bad"]["reason"]
    assert record_of(shop, members["bad"])["exit_code"] == 14
    assert members["child"]["reason"] == f"{bad} failed"

    text = (bad / "lapstrake.toml").read_text()
    (bad / "lapstrake.toml").write_text(text.replace("exit 5", "true"))
    members = group(shop, "--resume", *words, branch)
    assert states(members) == {
        "bad": "built",
        "child": "built",
        "grandchild": "built",
        "good": "kept",
    }
    members = group(shop, "--resume", *words, branch)
    assert set(states(members).values()) == {"kept"}


def test_resume_builds_what_changed_and_what_stands_on_it(shop: Shop, branch: str) -> None:
    ground = shop.bundle("ground")
    house = shop.bundle("house", extra='[depends]\nbuild = ["ground"]')
    apart = shop.bundle("apart")
    words = [str(house), str(ground), str(apart), branch]
    group(shop, *words)
    (ground / "new").write_text("a file")
    (shop.output(branch) / "apart_1-1_all.deb").unlink()
    planned = group(shop, "--resume", "--dry-run", *words)
    assert set(states(planned).values()) == {"waiting"}
    members = group(shop, "--resume", *words)
    assert states(members) == {"ground": "built", "house": "built", "apart": "built"}


def test_stop(shop: Shop, branch: str) -> None:
    names = ["aa-bad", "bb-good", "cc-good"]
    bundles = [
        str(shop.bundle(name, steps={"build": "false" if "bad" in name else "true"}))
        for name in names
    ]
    members = group(shop, "--stop", "--workers", "1", *bundles, branch, code=21)
    assert states(members) == {"aa-bad": "failed", "bb-good": "skipped", "cc-good": "skipped"}
    assert members["cc-good"]["reason"] == "the group was stopped"


def test_lists_in_lists(shop: Shop, branch: str) -> None:
    first, second = shop.bundle("first-of-list"), shop.bundle("second-of-list")
    folder = shop.scratch()
    (folder / "inner").mkdir()
    (folder / "inner/list").write_text(f"# paths are relative\n../{second.name}\n\n")
    (folder / second.name).symlink_to(second)
    (folder / "all").write_text(f"{first}  # the first\ninner/list\n{first}\n")
    done = shop.ok("build", "--group", str(folder / "all"), branch)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert [word.lower() for word in rows[0][:2]] == ["bundle", "state"]
    assert [(Path(row[0]).name, row[1]) for row in rows[1:]] == [
        (first.name, "built"),
        (second.name, "built"),
    ]
    assert shop.output(branch).joinpath("second-of-list_1-1_all.deb").exists()

    (folder / "inner/list").write_text("../all\n")
    failed = shop.fails(6, "build", "--group", str(folder / "all"), branch)
    assert "all > list > all" in failed.stderr


def test_cycle(shop: Shop, branch: str) -> None:
    hen = shop.bundle("hen", extra='[depends]\nbuild = ["egg"]')
    egg = shop.bundle("egg", extra='[depends]\nbuild = ["hen"]')
    failed = shop.fails(21, "build", "--group", str(hen), str(egg), branch)
    assert "need each other" in failed.stderr
    assert str(hen) in failed.stderr
    assert str(egg) in failed.stderr
    assert not shop.output(branch).exists()


def test_an_unknown_member_stops_everything(shop: Shop, branch: str) -> None:
    shop.fails(6, "build", "--group", str(shop.bundle("known")), "no-such-bundle", branch)
    assert not shop.output(branch).exists()


def test_sigterm_ends_all_members(shop: Shop, branch: str) -> None:
    """Members that talk without end do not hold it up."""
    mark = f"{os.getpid()}{time.monotonic_ns()}"
    chatter = f"echo begun; : {mark}; while :; do echo {mark * 20}; done"
    bundles = [str(shop.bundle(name, steps={"build": chatter})) for name in ("tick", "tock")]
    with shop.start("build", "--group", "--workers", "2", *bundles, branch) as process:
        assert process.stderr is not None
        begun = set()
        for line in process.stderr:
            if line.endswith(": begun\n"):
                begun.add(line)
            if len(begun) == 2:
                break
        process.send_signal(signal.SIGTERM)
        sent = time.monotonic()
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert time.monotonic() - sent < 15, "they were waited for, and killed"
    rows = json.loads(shop.ok("history", "--json", "--branch", branch).stdout)
    assert [row["state"] for row in rows] == ["interrupted"] * 2
    assert not [name for name in _command_lines() if mark in name]


def _command_lines() -> list[str]:
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().decode("utf-8", "replace"))
        except OSError:
            continue
    return found
