"""What a worker computes: limits, peaks, the attempt's log."""

from __future__ import annotations

import threading
from dataclasses import astuple, replace
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.config.model import Config, LimitsConfig, Secret
from lapstrake.farm.values.attempts import Job, Peaks, ResourceSample, Result
from lapstrake.farm.values.tasks import TaskSpec
from lapstrake.farm.worker.sampling import Sampler, joined, peaks_of
from lapstrake.farm.worker.setup import AttemptFolder, bounded
from lapstrake.farm.worker.shipping import read_piece
from lapstrake.farm.worker.telling import AttemptLog
from lapstrake.farm.worker.traffic import Traffic

_COUNTS = st.integers(0, 1 << 40)
_PEAKS = st.builds(
    Peaks, memory=_COUNTS, disk=_COUNTS, processes=_COUNTS, received=st.none() | _COUNTS
)


@given(_PEAKS, _PEAKS, _PEAKS)
def test_peaks_are_the_most_of_each(one: Peaks, other: Peaks, third: Peaks) -> None:
    both = joined(one, other)
    assert joined(other, one) == both
    assert joined(both, third) == joined(one, joined(other, third))
    assert all(
        most is None or (each is not None and most >= each)
        for most, each in zip(astuple(both), astuple(one), strict=True)
    )
    assert (both.received is None) == (None in {one.received, other.received})
    assert joined(one, one) == one


def test_a_job_only_lowers_limits() -> None:
    own = Config(limits=LimitsConfig(time=100.0, memory=1000))
    for asked, time, memory in ((TaskSpec(), 100.0, 1000),
                                (TaskSpec(seconds=5.0, memory=10), 5.0, 10),
                                (TaskSpec(seconds=500.0, memory=5000), 100.0, 1000)):  # fmt: skip
        limits = bounded(own, Job(task=1, attempt=1, spec=asked), ()).limits
        assert (limits.time, limits.memory) == (time, memory)
    free = replace(own, limits=LimitsConfig())
    limits = bounded(free, Job(task=1, attempt=1, spec=TaskSpec(seconds=7.0)), ()).limits
    assert (limits.time, limits.memory) == (7.0, None)


def test_secrets_need_a_word_of_the_workers_user() -> None:
    config = Config(secrets={"key": Secret(name="key", env="KEY")})
    job = Job(task=1, attempt=1, spec=TaskSpec())
    assert not bounded(config, job, ("nspawn",)).secrets
    assert bounded(config, job, ("nspawn", "secrets")).secrets


def test_the_log_tells_each_headline_once(tmp_path: Path) -> None:
    folder = AttemptFolder(path=tmp_path)
    with AttemptLog(folder) as log:
        log.headline("fetching hello")
        assert not folder.begun.exists()
        log.headline("building hello 1")
        assert folder.begun.exists()
        log.headline("make")  # as a build's log tells a headline that is within the output
        log.output(b">>> make\ncc hello.c\n")
        log.warning("odd")
        log.output(b">>> make\n")
    assert folder.log.read_text() == (
        ">>> fetching hello\n>>> building hello 1\n>>> make\ncc hello.c\nwarning: odd\n>>> make\n"
    )
    assert read_piece(folder.log, 4).startswith(b"fetching")
    assert read_piece(tmp_path / "none", 0) == b""


def test_the_log_ends_with_why_it_failed(tmp_path: Path) -> None:
    folder = AttemptFolder(path=tmp_path)
    with AttemptLog(folder) as log:
        log.output(b"cc x.c\nx.c:1: no\n")
        log.tell_failure(Result(ok=False, error="it broke", details="x.c:1: no\nLook at x."))
    begin, _, end = folder.log.read_text().partition("# ")
    assert begin == "cc x.c\nx.c:1: no\n"
    assert end.partition(" failed: ")[2] == "it broke\nLook at x.\n"


def test_measuring_survives_whatever_goes_wrong(tmp_path: Path) -> None:
    heard: list[ResourceSample] = []
    told = threading.Event()

    def broken(sample: ResourceSample) -> None:
        heard.append(sample)
        told.set()
        raise OSError("the disk is full")

    sampler = Sampler(
        1 << 30,  # nobody
        workspaces=tmp_path,
        containers=lambda: (),
        traffic=Traffic(apart=True),
        begun=lambda: True,
        on_sample=broken,
    )
    assert told.wait(10)
    assert sampler.stop() == peaks_of(heard[0])
    assert heard[0].processes == heard[0].memory == 0
