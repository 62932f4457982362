"""Options of ``lapstrake build``, and what is told meanwhile and afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from shop import Shop, control, snapshot


def test_dry_run_changes_nothing(shop: Shop, work_dir: Path, tmp_path: Path) -> None:
    fresh = Shop(work_dir=tmp_path / "fresh")
    fresh.work_dir.mkdir()
    shop = replace(shop, work_dir=work_dir)  # nobody else changes this one meanwhile
    bundle = shop.bundle("looked-at")
    assert "load the base OS" in fresh.ok("build", "--dry-run", str(bundle), "stable").stdout
    assert snapshot(fresh.work_dir) == {}
    branch = "stable"
    shop.build(bundle, branch)
    watched = [shop.work_dir / ".builder/branches", shop.work_dir / ".builder/bundles"]
    for name in (str(bundle), "lv2", "finger", "apt:hello"):
        before = [snapshot(folder) for folder in watched]
        done = shop.ok("build", "--dry-run", "--json", name, branch)
        assert {row["stage"] for row in json.loads(done.stdout)} >= {"base", "instance", "publish"}
        assert [snapshot(folder) for folder in watched] == before


def test_dry_run_says_what_is_wrong(shop: Shop, branch: str) -> None:
    shop.fails(6, "build", "--dry-run", "no-such-bundle", branch)
    shop.fails(5, "build", "--dry-run", "finger", "no-such-branch")


def test_explain_tells_reasons_beside_the_result(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("explained")
    done = shop.ok("build", "--explain", str(bundle), branch)
    assert done.stdout.strip() == str(shop.output(branch) / "explained_1-1_all.deb")
    assert re.search(r"instance +refresh the branch .*it has no instance yet", done.stderr)
    again = shop.ok("build", "--explain", str(bundle), branch)
    assert re.search(r"instance +nothing.* nothing changed", again.stderr)


def test_quiet_and_verbose(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("loud", steps={"build": "echo from the build"})
    quiet = shop.ok("-q", "build", str(bundle), branch)
    assert quiet.stderr == ""
    assert quiet.stdout == f"{shop.output(branch)}/loud_1-1_all.deb\n"
    normal = shop.ok("build", str(bundle), branch)
    assert ">>> build: build\nfrom the build\n" in normal.stderr
    assert "from the build" in shop.ok("-v", "build", str(bundle), branch).stderr


def test_output_comes_while_it_is_made(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("live", steps={"build": "echo first words; sleep 600"})
    with shop.start("build", str(bundle), branch) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == "first words\n":
                break
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "interrupted" in err
    record = _newest(shop, "live")
    assert (record["state"], record["exit_code"]) == ("interrupted", 143)
    assert "first words" in shop.log(record)


def test_a_killed_build_shows_as_interrupted(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("killed", steps={"build": "echo first words; sleep 600"})
    with shop.start("build", str(bundle), branch) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == "first words\n":
                break
        (running,) = _history(shop, "killed")
        assert running["state"] == "running"
        process.kill()
    (killed,) = _history(shop, "killed")
    assert killed["state"] == "interrupted"
    assert "killed" in killed["error"]


def test_keep(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("kept", steps={"build": "echo precious > file"})
    record = shop.build(bundle, branch, "--keep", "--check")
    for name in (record["id"], record["id"] + "-again"):
        kept = shop.work_dir / "kept" / name / "upper/buildroot"
        assert (kept / "build/file").read_text() == "precious\n"
        assert (kept / "output/kept_1-1_all.deb").is_file()


def test_keep_failed(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("failing", steps={"build": "echo precious > file; false"})
    record = shop.build_fails(14, bundle, branch)
    assert not (shop.work_dir / "kept" / record["id"]).exists()
    record = shop.using(build__keep_failed="true").build_fails(14, bundle, branch)
    kept = shop.work_dir / "kept" / record["id"]
    assert (kept / "upper/buildroot/build/file").read_text() == "precious\n"
    assert str(kept) in record["stderr"]


def test_check(each_shop: Shop) -> None:
    branch = each_shop.branch()
    good = each_shop.bundle("steady")
    each_shop.build(good, branch, "--check")
    dice = (
        'mkdir -p "$DESTDIR/usr/share/dice"\nhead -c 99 /dev/urandom > "$DESTDIR/usr/share/dice/d"'
    )
    bad = each_shop.bundle("dice", install=dice)
    failed = each_shop.build_fails(22, bad, branch, "--check")
    assert "dice_1-1_all.deb" in failed["stderr"]
    assert not (each_shop.output(branch) / "dice_1-1_all.deb").exists()


def test_source_date_epoch(shop: Shop, branch: str) -> None:
    install = (
        'mkdir -p "$DESTDIR/usr/share/dated"\n'
        'echo "$SOURCE_DATE_EPOCH" > "$DESTDIR/usr/share/dated/epoch"\n'
        'cat "$DESTDIR/usr/share/dated/epoch"'
    )
    bundle = shop.bundle("dated", install=install)
    os.utime(bundle / "lapstrake.toml", (1_600_000_000, 1_600_000_000))
    one = shop.build(bundle, branch)
    assert "\n1600000000\n" in shop.log(one)
    two = shop.build(bundle, branch, SOURCE_DATE_EPOCH="1500000000")
    assert "\n1500000000\n" in shop.log(two)
    three = shop.build(bundle, branch, SOURCE_DATE_EPOCH="1500000000")
    assert three["outputs"][0]["sha256"] == two["outputs"][0]["sha256"]
    assert three["outputs"][0]["published"].startswith("kept")


def test_jobs(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("parallel", steps={"build": 'echo "jobs=$JOBS"'})
    assert "\njobs=7\n" in shop.log(shop.build(bundle, branch, "--jobs", "7"))


def test_without_publishing(shop: Shop, branch: str) -> None:
    record = shop.build(shop.bundle("private"), branch, "--no-publish")
    assert record["outputs"][0]["published"] == ""
    assert not shop.output(branch).exists()


def test_a_driver_that_makes_no_package(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("empty", install="rm -r /buildroot/plan/outputs")
    failed = shop.using(build__keep_failed="true").build_fails(17, bundle, branch)
    assert (shop.work_dir / "kept" / failed["id"] / "upper/buildroot/destdir").is_dir()
    assert failed["error"] == "empty was built, but there is no package"
    assert failed["outputs"] == []


def test_two_builds_side_by_side(shop: Shop) -> None:
    """On one branch and on two: they overlap, and nothing is lost."""
    shared, other = shop.branch(), shop.branch()
    started = []
    for name, branch in (("left", shared), ("right", shared), ("elsewhere", other)):
        bundle = shop.bundle(name, steps={"build": "sleep 3"})
        started.append(shop.start("build", "--json", str(bundle), branch))
    records = []
    for process in started:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        records.append(json.loads(out))
    assert max(row["started"] for row in records) < min(row["finished"] for row in records)
    assert {file.name for file in shop.output(shared).glob("*.deb")} == {
        "left_1-1_all.deb",
        "right_1-1_all.deb",
    }
    assert control(shop.output(other) / "elsewhere_1-1_all.deb")["Package"] == "elsewhere"
    assert "Package: left" in (shop.output(shared) / "Packages").read_text()
    assert "Package: right" in (shop.output(shared) / "Packages").read_text()


def test_resources(shop: Shop, branch: str) -> None:
    """Memory within a tenth, processor time, wall time, and samples every three seconds."""
    take = "head -c 209715200 /dev/zero | tail -c 209715200 > /dev/null"
    idle = "sleep 6.5"
    burn = "timeout 1.2 sh -c 'while :; do :; done' || true"
    bundle = shop.bundle("hungry", steps={"build": f"{take}\n{idle}\n{burn}"})
    usage = shop.build(bundle, branch)["usage"]
    assert 200 << 20 <= usage["peak_memory"] <= 220 << 20
    assert 0.8 <= usage["cpu_seconds"] <= usage["wall_seconds"] * os.cpu_count()
    assert usage["wall_seconds"] >= 7.7
    moments = [sample["seconds"] for sample in usage["samples"]]
    assert moments[0] == pytest.approx(3, abs=1.5)
    assert len(moments) >= 2
    assert all(later - sooner >= 1.5 for sooner, later in pairwise(moments))  # one may be late


def test_log_history_and_why(shop: Shop, branch: str) -> None:
    bundle = shop.bundle("told", steps={"build": "echo from the build"})
    first = shop.build(bundle, branch)
    file = bundle / "lapstrake.toml"
    file.write_text(file.read_text().replace('"1"', '"2"').replace("echo from", "exit 3 #"))
    second = shop.build_fails(14, bundle, branch)
    assert "from the build" in shop.ok("log", first["id"]).stdout
    rows = json.loads(shop.ok("history", "--json", "--branch", branch).stdout)
    assert {row["id"] for row in rows} == {first["id"], second["id"]}
    why = shop.ok("why", second["id"]).stdout
    assert "it went well then, and failed in the step 'build' now" in why
    assert "1-1 → 2-1" in why


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("build", "stable"), "a bundle and a branch"),
        (("build", "a", "b", "stable"), "--group"),
        (("build", "--stop", "a", "stable"), "--stop needs --group"),
        (("build", "--group", "--shell-on-fail", "a", "stable"), "--shell-on-fail"),
        (("build", "a", "../x"), "branch name"),
    ],
)
def test_what_makes_no_sense(shop: Shop, words: tuple[str, ...], told: str) -> None:
    assert told in shop.fails(2, *words).stderr


def _history(shop: Shop, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(shop.ok("history", "--json").stdout)
    return [row for row in rows if f"-{name}-" in str(row["id"])]


def _newest(shop: Shop, name: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while not (rows := _history(shop, name)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return rows[0]
