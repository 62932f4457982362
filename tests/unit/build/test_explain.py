"""Build records in words, and their logs while they grow."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.build.record import BuildRecord, BuildState, Output, Records
from lapstrake.cli.explain import differences, made_from, resources
from lapstrake.formats.amounts import age_text, duration_text, size_text, sparkline
from lapstrake.host.usage import Sample, Usage
from roots import cli_command, cli_environment, run_cli


def record(build_id: str = "20260101-000000-hello-0001", **more: Any) -> BuildRecord:
    inputs = {
        "format": "aosc",
        "base": "b" * 64,
        "instance": "1" * 64,
        "instance_reason": "nothing changed upstream",
        "dependencies": "d" * 64,
        "dependencies_reason": "2 packages, in the store",
        "packages": ["gcc=12", "libc6-dev=2.36-9"],
        "sources": {"hello.tar.gz": "sha256:" + "a" * 64},
    }
    made = BuildRecord(
        id=build_id, bundle="hello", branch="stable", arch="amd64", runner="userns",
        name="hello", version="1.0", state=BuildState.SUCCEEDED, started=1000.0, finished=1060.0,
        inputs=inputs, outputs=(Output(name="hello.deb", size=9, sha256="0" * 64),),
    )  # fmt: skip
    return replace(made, **more)


def lines_of(before: BuildRecord, after: BuildRecord) -> str:
    return "\n".join(differences(before, after))


def test_equal_builds_do_not_differ() -> None:
    assert lines_of(record(), record()) == ""


@pytest.mark.parametrize(
    "change, said",
    [
        ({"packages": ["gcc=13", "libc6-dev=2.36-9"]}, "build dependency gcc: 12 → 13"),
        ({"packages": ["gcc=12"]}, "build dependency libc6-dev: 2.36-9 → none"),
        ({"instance": "2" * 64, "instance_reason": "upstream changed: URL"}, "upstream changed"),
        ({"sources": {"hello.tar.gz": "sha256:" + "c" * 64}}, "hello.tar.gz: other bytes"),
        ({"sources": {}}, "hello.tar.gz: no longer used"),
        ({"base": "c" * 64}, "another base OS: bbbbbbbbbbbb → cccccccccccc"),
        ({"dependencies": ""}, "another layer of dependencies: dddddddddddd → none"),
    ],
)
def test_what_changed_is_named(change: dict[str, Any], said: str) -> None:
    before = record()
    assert said in lines_of(before, replace(before, inputs={**before.inputs, **change}))


def test_results_are_compared() -> None:
    failed = record(state=BuildState.FAILED, step="build", version="2.0", outputs=())
    said = lines_of(failed, record())
    assert "version: 2.0 → 1.0" in said
    assert "it failed in the step 'build' then, and went well now" in said
    other = record(outputs=(Output(name="hello.deb", size=9, sha256="1" * 64),))
    assert "hello.deb: other bytes" in lines_of(record(), other)


def test_a_build_that_failed_early_can_be_explained() -> None:
    assert [row[0] for row in made_from(record(inputs={}))] == ["inputs"]
    assert "another instance" in lines_of(record(inputs={}), record())


def test_resources_have_curves() -> None:
    samples = tuple(
        Sample(seconds=3.0 * n, memory=n << 20, cpu_seconds=n * n, disk=0, processes=n)
        for n in range(5)
    )
    usage = Usage(wall_seconds=12, cpu_seconds=16, peak_memory=4 << 20, samples=samples)
    rows = dict(resources(usage))
    assert "4.0 MiB at most" in rows["memory"]
    assert rows["memory"].endswith("▁▃▅▆█") or rows["memory"][-1] == "█"
    assert "1.3 at a time" in rows["processors"]
    assert dict(resources(Usage()))["time"] == "0.0 s"


@given(st.lists(st.floats(0, 1e12), max_size=200), st.integers(1, 60))
def test_a_curve_fits_its_width(values: list[float], width: int) -> None:
    drawn = sparkline(values, width=width)
    assert len(drawn) == min(len(values), width)
    if values and max(values) > 0:
        assert "█" in drawn


@given(st.integers(0, 2**60), st.floats(0, 1e9))
def test_numbers_for_people_are_short(size: int, seconds: float) -> None:
    assert len(size_text(size)) <= 14
    assert len(duration_text(seconds)) <= 16
    assert age_text(seconds).endswith(" ago")


def written(work_dir: Path, *records: BuildRecord, log: bytes = b"") -> Records:
    kept = Records(work_dir / "builds")
    for each in records:
        (kept.folder / each.id).mkdir(parents=True)
        kept.write(each)
        kept.log_path(each.id).write_bytes(log)
    return kept


def test_history_filters_and_orders(tmp_path: Path) -> None:
    written(
        tmp_path,
        record("20260101-000000-hello-0001"),
        record("20260102-000000-hello-0002", state=BuildState.FAILED, exit_code=14, error="oh no"),
        record("20260103-000000-other-0003", bundle="other", name="other", branch="testing"),
    )
    lines = run_cli("history", work_dir=tmp_path).stdout.splitlines()
    assert [line.split()[0][-4:] for line in lines[1:]] == ["0003", "0002", "0001"]
    assert "oh no" in lines[2]
    only = run_cli("history", "--branch=stable", "--state=failed", work_dir=tmp_path).stdout
    assert [line.split()[0][-4:] for line in only.splitlines()[1:]] == ["0002"]
    assert len(run_cli("history", "-n1", work_dir=tmp_path).stdout.splitlines()) == 2
    said = run_cli("why", "hello", work_dir=tmp_path)
    assert "compared with 20260101-000000-hello-0001" in said.stdout
    assert "failed" in said.stdout
    assert run_cli("why", "nothing", work_dir=tmp_path).status == 2
    assert run_cli("why", "layer", "abc", work_dir=tmp_path).status == 2
    assert run_cli("why", "branch", "nobody", work_dir=tmp_path).status == 5


@given(lines=st.integers(0, 12), last=st.booleans())
def test_the_tail_is_the_last_lines(lines: int, last: bool) -> None:
    import io

    from lapstrake.cli.log import _seek_tail

    text = b"".join(b"line %d\n" % n for n in range(8)) + (b"no end" if last else b"")
    file = io.BytesIO(text)
    _seek_tail(file, lines)
    kept = text.splitlines(keepends=True)
    assert file.read() == b"".join(kept[len(kept) - min(lines, len(kept)) :])


def test_a_log_is_followed_until_the_build_ends(tmp_path: Path) -> None:
    running = record(state=BuildState.RUNNING, finished=0.0)
    kept = written(tmp_path, running, log=b"first\n")
    path = kept.log_path(running.id)
    assert run_cli("log", "--tail=1", work_dir=tmp_path).stdout == "first\n"
    assert run_cli("log", "-f", work_dir=tmp_path).stdout == "first\n"  # its process is gone
    with (
        kept.running(running.id),
        subprocess.Popen(
            cli_command("log", "-f"), env=cli_environment(tmp_path), stdout=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"first\n"
        with path.open("ab") as log:
            log.write(b"second\n")
        assert process.stdout.readline() == b"second\n"

        def end() -> None:
            time.sleep(0.3)
            with path.open("ab") as log:
                log.write(b"last\n")
            kept.write(record())

        ending = threading.Thread(target=end)
        ending.start()
        assert process.stdout.read() == b"last\n"
        assert process.wait(timeout=30) == 0
        ending.join()
    assert "no build" in run_cli("log", "nothing", work_dir=tmp_path).stderr


PROGRESS = """
import sys, time
from lapstrake.cli.output import Output, Verbosity
from lapstrake.cli.progress import open_progress
output = Output(verbosity=Verbosity(int(sys.argv[1])))
progress = open_progress(output)
progress.headline("build: it")
progress.output(b">>> build: it\\ncompi")
progress.output(b"ling\\x1b[2J\\n>>> other\\nno end")
time.sleep(0.4)
progress.warning("beware")
output.result("the result")
progress.close()
"""


@pytest.mark.parametrize(
    "verbosity, told",
    [
        (0, "warning: beware\n"),
        (1, ">>> build: it\ncompiling\\x1b[2J\n>>> other\nwarning: beware\nno end\n"),
        (2, ">>> build: it\ncompiling\\x1b[2J\n>>> other\nwarning: beware\nno end\n"),
    ],
)
def test_progress_off_a_terminal_is_plain_lines(verbosity: int, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRESS, str(verbosity)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "the result\n"
    assert done.stderr == told


def test_progress_on_a_terminal_is_a_line_that_is_wiped() -> None:
    import os
    import pty

    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", PROGRESS, "1"]
    process = subprocess.Popen(
        words, stdout=theirs, stderr=theirs, env={**os.environ, "NO_COLOR": "1"}
    )
    os.close(theirs)
    seen = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        seen += piece
    os.close(ours)
    assert process.wait() == 0
    text = seen.decode()
    assert "build: it" in text
    assert "\x1b[2J" not in text
    assert "\r\x1b[Kwarning: beware" in text
    assert "the result" in text
    assert "build: it" not in text.rpartition("\x1b[K")[2]
