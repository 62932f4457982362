"""A build's log: headlines out of pieces, signs of life, and what an error tells."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.artifact.builders import log as logs
from lapstrake.artifact.builders.headlines import Lines, headline_of
from lapstrake.artifact.builders.hints import hint_of
from lapstrake.artifact.builders.log import open_log
from lapstrake.errors import StoreError
from lapstrake.host.usage import Ending, Outcome
from roots import Recorder

OUTPUT = (
    b"make[1]: Entering\n\x1b[7m>>> busybox 1.36.1 Building\x1b[27m\n  CC  x.o\n"
    b"echo '>>> not one'\r\n>>>   host-gcc  Configuring  \n50%\r100%\r>>> last"
)
HEADLINES = ["busybox 1.36.1 Building", "host-gcc  Configuring", "last"]


@given(st.lists(st.integers(0, len(OUTPUT))))
def test_headlines_are_found_however_reads_cut_them(cuts: list[int]) -> None:
    lines = Lines()
    found: list[str] = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(OUTPUT)]):
        found += lines.feed(OUTPUT[begin:end])
    found += lines.end()
    assert [headline_of(line) for line in found if headline_of(line)] == HEADLINES
    assert [line.strip() for line in found][:4] == [
        "make[1]: Entering", ">>> busybox 1.36.1 Building", "CC  x.o", "echo '>>> not one'"
    ]  # fmt: skip


@given(st.lists(st.binary(max_size=300)))
def test_no_output_is_too_strange(pieces: list[bytes]) -> None:
    lines = Lines()
    text = "".join(line for piece in [*pieces, b"\n"] for line in lines.feed(piece))
    assert "\n" not in text


def test_a_line_without_end_does_not_grow_for_ever() -> None:
    lines = Lines()
    found = [line for _ in range(20) for line in lines.feed(b"x" * 10_000)]
    assert found
    assert max(map(len, found)) < 100_000


def test_everything_is_in_the_log_and_only_headlines_are_told(tmp_path: Path) -> None:
    recorder = Recorder()
    path = tmp_path / "deep" / "build.log"
    with open_log(path, recorder) as log:
        for number in range(0, len(OUTPUT), 7):
            log.output(OUTPUT[number : number + 7])
        error = log.failed("tiny 1.0: the step build", Outcome(status=2))
    assert path.read_bytes() == OUTPUT
    assert recorder.headlines == HEADLINES
    assert error.brief == "tiny 1.0: the step build ended with status 2"
    assert error.details.splitlines()[-3:] == ["50%", "100%", ">>> last"]
    assert error.resolution == f"The whole log is {path}."


def test_an_error_has_the_last_sixteen_lines_and_advice(tmp_path: Path) -> None:
    with open_log(tmp_path / "log", Recorder()) as log:
        log.output(b"cp: cannot write: No space left on device\n")
        log.output(b"".join(b"%d\n" % number for number in range(40)))
        error = log.failed("it", Outcome(status=137, ending=Ending.OUT_OF_MEMORY))
    assert error.details.splitlines() == [str(number) for number in range(24, 40)]
    assert error.brief == "it was killed: out of memory"
    assert error.resolution.startswith("The disk is full")


class _Watcher(Recorder):
    printed = b""

    def output(self, data: bytes) -> None:
        self.printed += data


def test_signs_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = _Watcher()
    with open_log(tmp_path / "log", recorder) as log:
        log.output(b">>> slow\n  CC  big.o\n")
        log.tell_life()
        assert not recorder.printed
        monkeypatch.setattr(logs, "QUIET_SECONDS", 0.0)
        log.tell_life()
        log.tell_life()
    lines = recorder.printed.splitlines()
    assert [line.partition(b" s) ")[2].strip() for line in lines[:2]] == [b"CC  big.o", b"..."]


def test_a_log_on_a_full_disk_is_told() -> None:
    with (
        pytest.raises(StoreError, match="No space left"),
        open_log(Path("/dev/full"), Recorder()) as log,
    ):
        log.output(b"x" * 10_000)


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("tar: write error: No space left on device", "disk is full"),
        ("wget: unable to resolve host address 'sources.buildroot.net'", "cannot be resolved"),
        ('Error: slirp4netns failed: open("/dev/net/tun"): Permission denied', "chmod 0666"),
        ("curl: (6) Could not resolve host: example.org", "cannot be resolved"),
        ("cc: fatal error: Killed signal terminated program cc1plus", "memory"),
        ("Killed", "memory"),
        ("error during connect: Post http://docker: EOF", "engine does not answer"),
        ("mkdir: can't create directory 'x': Read-only file system", "$LAPSTRAKE_BUILD_DIR"),
        ("configure: error: you should not run configure as root", "refuse to be built by root"),
        ("Enable the frobnicator (FROB) [N/y/?] (NEW)", "questions"),
        ("exec /bin/sh: exec format error", "kind of machine"),
        ("sh: 1: bc: not found", "lacks a program"),
        ("./run: Permission denied", "permissions"),
        ("make: *** [all] Error 2", ""),
        ("checking for killed children... no", ""),
    ],
)
def test_hints(line: str, advice: str) -> None:
    hint = hint_of(["something else", line, "make: *** Error 1"])
    assert advice in hint
    assert bool(hint) == bool(advice)
