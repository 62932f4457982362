"""Builds are stopped for their time and for their log's silence, and for nothing else."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.build.log import MOST_BYTES
from lapstrake.errors import LimitError
from lapstrake.farm.values.tasks import TaskKind, TaskSpec
from lapstrake.farm.worker.deadlines import Deadlines
from lapstrake.farm.worker.setup import AttemptFolder

_SILENCE = 30.0
_STEPS = st.lists(st.tuples(st.floats(0.1, 50), st.booleans()), max_size=12)


class Build:
    """A build of which only the clock and the log are seen."""

    def __init__(self, place: Path, **spec: object) -> None:
        self.folder, self.now = AttemptFolder(path=place), 1000.0
        self.deadlines = Deadlines(
            TaskSpec(**spec),  # type: ignore[arg-type]
            self.folder,
            lambda: self.now,
        )

    def error(self, seconds: float) -> str:
        """Why it is stopped after so much more time; empty if it goes on."""
        self.now += seconds
        result = self.deadlines.missed()
        assert result is None or result.exit_code == LimitError.exit_code
        return "" if result is None else result.error

    def say(self) -> None:
        with self.folder.log.open("ab") as log:
            log.write(b"line\n")


@given(_STEPS)
def test_it_is_stopped_exactly_when_its_log_was_silent_for_too_long(
    steps: list[tuple[float, bool]],
) -> None:
    with TemporaryDirectory() as place:
        build = Build(Path(place), silence=_SILENCE)
        build.folder.begun.touch()
        assert not build.error(0)
        silent = 0.0
        for seconds, says in steps:
            if says:
                build.say()
            silent = 0.0 if says else silent + seconds
            stopped = build.error(seconds)
            if silent <= _SILENCE - 1e-6:
                assert not stopped
            elif silent > _SILENCE + 1e-6:
                assert "said nothing for 30 s" in stopped
                return


def test_nothing_counts_before_all_is_fetched(tmp_path: Path) -> None:
    build = Build(tmp_path, silence=1.0, seconds=1.0)
    assert not build.error(1000)
    build.folder.begun.touch()
    assert not build.error(1000)
    assert "said nothing" in build.error(2)


def test_an_artifacts_build_is_heard_from_the_first(tmp_path: Path) -> None:
    build = Build(tmp_path, silence=1.0, kind=TaskKind.ARTIFACT)
    assert not build.error(0)
    assert "said nothing" in build.error(2)


def test_a_full_log_is_not_silent_and_no_limit_is_none(tmp_path: Path) -> None:
    build = Build(tmp_path, silence=1.0)
    build.folder.begun.touch()
    build.error(0)
    with build.folder.log.open("wb") as log:
        log.truncate(MOST_BYTES)
    assert not build.error(10)
    assert not build.error(10)
    unlimited = Build(tmp_path)
    unlimited.error(0)
    assert not unlimited.error(1e9)


def test_the_time_is_told_with_its_limit(tmp_path: Path) -> None:
    build = Build(tmp_path, seconds=60.0)
    build.folder.begun.touch()
    build.error(0)
    assert not build.error(69)
    assert build.error(2) == "the build was stopped: timed out (limit 60 s)"
