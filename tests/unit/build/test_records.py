"""Build records: written, read back, found; what a killed build looks like."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lapstrake.build.record import BuildRecord, BuildState, Output, Records, finished
from lapstrake.errors import CompileError, Interrupted, UsageError
from lapstrake.host.usage import Sample, Usage
from roots import SOURCE


def record(build_id: str, **facts: object) -> BuildRecord:
    made = BuildRecord(
        id=build_id, bundle="./hello", branch="stable", arch="amd64", runner="userns"
    )
    return replace(made, **facts)  # type: ignore[arg-type]


def ended(records: Records, asked: str, **facts: object) -> BuildRecord:
    made = finished(record(records.new_id(asked), **facts), None)
    records.write(made)
    return made


def test_read_back(tmp_path: Path) -> None:
    records = Records(tmp_path / "builds")
    sample = Sample(seconds=3.0, memory=5, cpu_seconds=0.5, disk=7, processes=2)
    made = ended(
        records,
        "hello",
        inputs={"format": "native", "packages": ["a=1"]},
        outputs=(Output(name="a.deb", size=3, sha256="ab", published="added"),),
        usage=Usage(wall_seconds=4.0, peak_memory=9, samples=(sample,)),
    )
    assert records.read(made.id) == made
    assert list(records.records()) == [made]
    assert made.state is BuildState.SUCCEEDED
    assert made.seconds >= 0


def test_names_are_safe_and_sort_by_time(tmp_path: Path) -> None:
    records = Records(tmp_path / "builds")
    ids = [records.new_id(name) for name in ("../../etc", "", "a b\nc", "x" * 300)]
    assert all((tmp_path / "builds" / build_id).is_dir() for build_id in ids)
    assert sorted(records.ids()) == sorted(ids)
    assert list(records.ids()) == sorted(ids, reverse=True)
    assert list(records.records()) == [], "there is nothing in them yet"


def test_find(tmp_path: Path) -> None:
    records = Records(tmp_path / "builds")
    with pytest.raises(UsageError, match="nothing was built yet"):
        records.find("")
    older = ended(records, "hello", name="hello", started=1.0)
    time.sleep(0.002)
    newer = ended(records, "aardvark", name="aardvark", started=2.0)
    assert records.find(older.id) == older
    assert records.find(newer.id[:-2]) == newer
    assert records.find("hello") == older
    assert records.find("") == newer
    with pytest.raises(UsageError, match="2 builds begin with"):
        records.find(older.id[:8])
    with pytest.raises(UsageError, match="no build 'nothing'"):
        records.find("nothing")


def test_damaged_records_are_passed_over(tmp_path: Path) -> None:
    records = Records(tmp_path / "builds")
    whole = ended(records, "hello")
    damaged = records.new_id("damaged")
    (tmp_path / "builds" / damaged / "record.json").write_text("{")
    assert list(records.records()) == [whole]
    assert records.read(damaged) is None


def test_how_a_build_ended() -> None:
    running = record("x")
    failed = finished(running, CompileError("the step failed", details="much"))
    assert (failed.state, failed.exit_code, failed.error) == (
        BuildState.FAILED, 14, "the step failed",
    )  # fmt: skip
    stopped = finished(running, Interrupted(signal.SIGTERM))
    assert (stopped.state, stopped.exit_code) == (BuildState.INTERRUPTED, 143)
    by_hand = finished(running, Interrupted(signal.SIGINT))
    assert (by_hand.state, by_hand.exit_code) == (BuildState.INTERRUPTED, 130)
    broken = finished(running, ZeroDivisionError("ours"))
    assert (broken.state, broken.exit_code) == (BuildState.FAILED, 1)


_RUNNING = """
import sys, time
from pathlib import Path
from lapstrake.build.record import BuildRecord, Records
records = Records(Path(sys.argv[1]))
made = BuildRecord(id=records.new_id("x"), bundle="x", branch="b", arch="amd64", runner="r")
with records.running(made.id):
    records.write(made)
    records.log_path(made.id).touch()
    print(made.id, flush=True)
    time.sleep(600)
"""


def test_a_running_build_and_its_end_by_force(tmp_path: Path) -> None:
    records = Records(tmp_path / "builds")
    process = subprocess.Popen(
        [sys.executable, "-c", _RUNNING, str(records.folder)],
        env={"PYTHONPATH": f"{SOURCE}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        build_id = process.stdout.readline().strip()
        seen = records.read(build_id)
        assert seen is not None
        assert seen.state is BuildState.RUNNING
        process.kill()
    seen = records.read(build_id)
    assert seen is not None
    assert seen.state is BuildState.INTERRUPTED
    assert seen.finished >= seen.started - 1
    assert seen.error == "its process was killed"


def test_the_mark_of_a_running_build_goes_with_it(tmp_path: Path) -> None:
    records = Records(tmp_path / "builds")
    made = record(records.new_id("x"))
    with records.running(made.id):
        records.write(made)
        seen = records.read(made.id)
        assert seen is not None
        assert seen.state is BuildState.RUNNING
    assert [file.name for file in (records.folder / made.id).iterdir()] == ["record.json"]
