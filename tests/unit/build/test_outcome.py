"""What the end of a driver means; limits; outputs; what apt is asked and answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.build.outcome import STEPS, bounds, failure
from lapstrake.build.outputs import collect, compare, describe
from lapstrake.build.record import Output
from lapstrake.bundle.base import Bundle, BundleFormat, Needs
from lapstrake.errors import LimitError, PackError, ReproduceError, StepError
from lapstrake.host.usage import Ending, Limits, Outcome

_CODES = {"prepare": 12, "configure": 13, "build": 14, "install": 15, "qa": 16, "pack": 17}


def test_each_step_has_its_exit_code() -> None:
    assert {step: error.exit_code for step, error in STEPS.items()} == _CODES
    for step, code in _CODES.items():
        found = failure(
            Outcome(status=3), step=step, limits=Limits(), log_tail="last words", log="/log"
        )
        assert isinstance(found, StepError)
        assert found.exit_code == code
        assert found.brief == f"the step '{step}' failed with status 3"
        assert found.details == "last words"
        assert "/log" in found.resolution


@pytest.mark.parametrize(
    ("ending", "told"),
    [
        (Ending.TIMED_OUT, "limit 5 s"),
        (Ending.OUT_OF_MEMORY, "limit 64 MiB"),
        (Ending.OUT_OF_DISK, "limit 32 MiB"),
        (Ending.OUT_OF_PROCESSES, "limit 7"),
    ],
)
def test_a_broken_limit_is_named(ending: Ending, told: str) -> None:
    limits = Limits(seconds=5.0, memory=64 << 20, disk=32 << 20, processes=7)
    outcome = Outcome(status=137, ending=ending)
    found = failure(outcome, step="build", limits=limits, log_tail="", log="")
    assert isinstance(found, LimitError)
    assert told in found.brief
    assert str(ending) in found.brief
    assert (
        "limit " not in failure(outcome, step="build", limits=Limits(), log_tail="", log="").brief
    )


_AMOUNTS = st.none() | st.integers(1, 1000)


@given(_AMOUNTS, _AMOUNTS, _AMOUNTS, _AMOUNTS)
def test_the_lower_limit_holds(
    configured: int | None, needed: int | None, disk: int | None, more_disk: int | None
) -> None:
    found = bounds(
        Limits(memory=configured, disk=disk, processes=9), Needs(memory=needed, disk=more_disk)
    )
    given_memory = [each for each in (configured, needed) if each is not None]
    given_disk = [each for each in (disk, more_disk) if each is not None]
    assert found.memory == (min(given_memory) if given_memory else None)
    assert found.disk == (min(given_disk) if given_disk else None)
    assert found.processes == 9


def _bundle(*, makes_packages: bool = True) -> Bundle:
    return Bundle(
        name="sample",
        version="1",
        upstream_version="1",
        format=BundleFormat.NATIVE,
        path=Path("/sample"),
        makes_packages=makes_packages,
    )


def test_a_build_must_leave_packages(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="there is no package"):
        collect(tmp_path, _bundle())
    assert collect(tmp_path, _bundle(makes_packages=False)) == ()
    (tmp_path / "plain").write_text("x")
    with pytest.raises(PackError) as caught:
        collect(tmp_path, _bundle())
    assert "plain" in caught.value.details
    (tmp_path / "a.deb").write_text("y")
    found = collect(tmp_path, _bundle())
    assert [output.name for output in describe(found)] == ["a.deb", "plain"]
    assert describe(found)[0].size == 1


def test_comparing_two_builds() -> None:
    def outputs(**sums: str) -> list[Output]:
        return [
            Output(name=name.replace("_", "."), size=1, sha256=digest * 64)
            for name, digest in sums.items()
        ]

    compare(outputs(a_deb="1", b_buildinfo="2"), outputs(a_deb="1", b_buildinfo="3"))
    with pytest.raises(ReproduceError) as caught:
        compare(outputs(a_deb="1", b_deb="2", c_deb="4"), outputs(a_deb="1", b_deb="3", d_deb="5"))
    lines = caught.value.details.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["b.deb", "c.deb", "d.deb"]
    assert "missing" in lines[1]
