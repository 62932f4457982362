"""Plots of what attempts used."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.monitor.overview import Throughput
from lapstrake.farm.pages.history import columns
from lapstrake.farm.pages.plots import HEIGHT, WIDTH, nice_top, resource_plots
from lapstrake.farm.values.attempts import ResourceSample
from lapstrake.farm.values.tasks import TaskState


def _samples(count: int) -> list[ResourceSample]:
    return [
        ResourceSample(
            seconds=3.0 * n,
            cpu_seconds=6.0 * n,
            memory=(900 << 20) if n == 700 else 100 << 20,
            received=1024 * 3 * n,
        )
        for n in range(count)
    ]


def test_sums_become_rates_and_no_peak_is_lost() -> None:
    processors, memory, _, _, network = resource_plots(_samples(1000), memory_limit=1 << 30)
    assert (processors.curves[0].last, processors.curves[0].peak) == ("2", "2")
    assert memory.curves[0].peak == "900.0 MiB"
    assert memory.limit is not None
    assert memory.limit[1] == "1.0 GiB"
    assert network.curves[0].last == "1.0 KiB"
    heights = [float(point.split(",")[1]) for point in memory.curves[0].points.split()]
    assert len(heights) <= 240
    assert min(heights) < sorted(heights)[1] - 50


def test_points_stay_inside() -> None:
    for plot in resource_plots(_samples(50)):
        for curve in plot.curves:
            for point in curve.points.split():
                left, top = map(float, point.split(","))
                assert 0 <= left <= WIDTH
                assert 0 <= top <= HEIGHT


def test_a_limit_far_above_is_not_drawn() -> None:
    assert resource_plots(_samples(50), memory_limit=1 << 40)[1].limit is None


def test_one_sample_makes_no_curve() -> None:
    assert resource_plots(_samples(1)) == []


@given(st.floats(0.001, 1e12))
def test_a_nice_top_is_not_below_and_not_far_above(value: float) -> None:
    assert value * 0.999 <= nice_top(value) <= value * 2.6
    assert nice_top(value, binary=True) >= value * 0.999


def test_columns_stack_what_ended() -> None:
    rows = [
        Throughput(begin=100.0, state=TaskState.SUCCESS, tasks=3, seconds=60),
        Throughput(begin=100.0, state=TaskState.FAILED, tasks=1, seconds=5),
        Throughput(begin=120.0, state=TaskState.SUCCESS, tasks=2, seconds=60),
    ]
    first, second, third = columns(rows, since=100.0, step=10, count=3)
    assert [(part.kind, part.top, part.height) for part in first.parts] == [
        ("success", 25.0, 75.0),
        ("failed", 0.0, 25.0),
    ]
    assert second.parts == ()
    assert "nothing" in second.text
    assert [part.height for part in third.parts] == [50.0]
