"""Estimates find out what was planted, whatever the noise."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.farm.placement.base import Measured
from lapstrake.farm.placement.efficiency import gain, learn_appetites, useful_cores
from lapstrake.farm.placement.estimates import Estimates, learn

GIB = 1 << 30


def history(
    seed: int,
    *,
    packages: int = 60,
    machines: int = 5,
    builds: int = 4,
    noise: float = 0.1,
    wrong: float = 0.0,
    loss: float = 0.04,
) -> tuple[list[Measured], dict[str, float], dict[str, float]]:
    """Builds, with the work and the speeds that were planted."""
    chance = random.Random(seed)
    work = {f"p{n}": math.exp(chance.gauss(5, 1.5)) for n in range(packages - 1)}
    work["glibc"] = 2000.0
    speed = {f"m{n}": math.exp(chance.gauss(0, 0.4)) for n in range(machines)}
    rows = []
    for package in work:
        for _ in range(builds):
            machine, cores = chance.choice(list(speed)), chance.choice((1, 2, 4, 8))
            seconds = work[package] / speed[machine] * math.exp(chance.gauss(0, noise))
            if chance.random() < wrong:
                seconds *= chance.choice((0.05, 20.0))
            rows.append(
                Measured(
                    package=package,
                    machine=machine,
                    cores=cores,
                    cpu_seconds=seconds,
                    wall_seconds=seconds / gain(loss, cores),
                    memory=GIB + cores * GIB // 4,
                    disk=3 * GIB,
                )
            )
    return rows, work, speed


def off(found: Estimates, work: dict[str, float], speed: dict[str, float]) -> float:
    """By how much the middle estimate of a build's seconds is wrong, as a logarithm."""
    wrong = [
        abs(math.log(found.work(package).value / found.speed(machine).value * v / w))
        for package, w in work.items()
        for machine, v in speed.items()
    ]
    return sorted(wrong)[len(wrong) // 2]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from((0.02, 0.1, 0.3)))
def test_what_was_planted_is_found_again(seed: int, noise: float) -> None:
    rows, work, speed = history(seed, noise=noise)
    found = learn(rows)
    assert found.anchor == "glibc"
    assert found.work("glibc").value == pytest.approx(1.0)
    assert off(found, work, speed) < max(0.05, noise)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6))
def test_builds_that_went_strangely_change_little(seed: int) -> None:
    rows, work, speed = history(seed, builds=6, wrong=0.08)
    assert off(learn(rows), work, speed) < 0.12


def test_how_sure_it_is_grows_with_the_number_of_builds() -> None:
    few, many = (learn(history(1, builds=builds)[0]) for builds in (2, 20))
    assert many.work("p1").spread < few.work("p1").spread
    assert few.work("never built").spread > few.work("p1").spread
    assert (few.work("p1").builds, few.work("never built").builds) == (2, 0)


def test_machines_that_nothing_connects_are_taken_for_alike() -> None:
    one = [row for row in history(1, machines=1)[0] if row.package != "glibc"]
    glibc = Measured(package="glibc", machine="lone", cores=1, wall_seconds=10, cpu_seconds=10)
    found = learn([*one, glibc])
    assert found.anchor == "glibc"
    assert found.speed("lone").value / found.speed("m0").value == pytest.approx(1.0, abs=0.75)
    assert found.speed("lone").spread > 0.3


def test_without_glibc_what_is_known_best_is_the_anchor() -> None:
    rows = [row for row in history(1)[0] if row.package != "glibc"]
    rows += [row for row in rows if row.package == "p7"] * 5
    found = learn(rows)
    assert found.anchor == "p7"
    assert found.work("p7").value == pytest.approx(1.0)


def test_nothing_built_yet_is_a_guess_and_no_error() -> None:
    nothing = Measured(package="a", machine="m", cores=2, wall_seconds=3, cpu_seconds=0)
    for found in (learn([]), learn([nothing])):
        assert found.anchor == ""
        assert 1 < found.seconds("a", "m", 4).value < 3600


@given(st.floats(0, 1), st.integers(1, 200))
def test_more_processors_never_make_it_slower(loss: float, cores: int) -> None:
    assert gain(loss, cores + 1) >= gain(loss, cores) - 1e-9
    assert gain(loss, 1) == 1
    assert gain(loss, 10**6) == gain(loss, useful_cores(loss))


def test_what_packages_want_is_found_again() -> None:
    rows, *_ = history(3, builds=40, loss=0.05)
    known, usual = learn_appetites(rows)
    assert known["glibc"].loss == pytest.approx(0.05, abs=0.02)
    assert known["glibc"].memory == pytest.approx(GIB, rel=0.05)
    assert known["glibc"].memory_per_core == pytest.approx(GIB / 4, rel=0.05)
    assert known["glibc"].disk == usual.disk == 3 * GIB


@given(
    st.lists(st.tuples(st.integers(0, 64), st.integers(0, 10**11), st.floats(0, 1e5)), min_size=1)
)
def test_no_build_ever_took_more_memory_than_is_expected(
    builds: list[tuple[int, int, float]],
) -> None:
    rows = [
        Measured(
            package="p", machine="m", cores=cores, wall_seconds=9, cpu_seconds=cpu, memory=memory
        )
        for cores, memory, cpu in builds
    ]
    found = learn_appetites(rows)[0]["p"]
    assert 0 <= found.loss <= 1
    for row in rows:
        thought = found.memory + found.memory_per_core * max(1, row.cores)
        assert thought >= row.memory * 0.999
