"""Curves of what an attempt used, worked out for a picture of a fixed size."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from lapstrake.farm.values.attempts import ResourceSample
from lapstrake.formats.amounts import duration_text, size_text

WIDTH, HEIGHT = 400, 140
"""Of a picture, in its own units."""
LEFT, RIGHT, TOP, BOTTOM = 76, 8, 10, 22
"""Room for what is written at its edges."""
BOX = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT}
"""The same for templates."""

_MOST_POINTS = 240
_TICKS = 3
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

Point = tuple[float, float]
Text = Callable[[float], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One line of a plot.

    Attributes:
        name: what it is.
        points: the attribute ``points`` of a polyline.
        peak: its highest value, for people.
        last: its newest value, for people.
    """

    name: str
    points: str
    peak: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot of one or two curves over time.

    Attributes:
        title: what is plotted.
        unit: what its values are, for people.
        curves: the lines.
        ticks: at the left edge: (height in the picture, text).
        times: at the lower edge: (place in the picture, text).
        limit: height of the limit's line and its text, or ``None``.
    """

    title: str
    unit: str
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]
    times: tuple[tuple[float, str], ...]
    limit: tuple[float, str] | None = None

    @property
    def description(self) -> str:
        """It in words."""
        said = [f"{curve.name}: {curve.last}, at most {curve.peak}" for curve in self.curves]
        limit = [f"limit {self.limit[1]}"] if self.limit else []
        return f"{self.title} from {self.times[0][1]} to {self.times[-1][1]}. " + "; ".join(
            [*said, *limit]
        )


def resource_plots(samples: Sequence[ResourceSample], *, memory_limit: int = 0) -> list[Plot]:
    """The plots of an attempt: processors, memory, disk, processes, and its network if it is known.

    Args:
        samples: in the order of time.
        memory_limit: bytes, 0 for none.
    """
    if len(samples) < 2:
        return []
    rows = [(sample.seconds, sample) for sample in samples]
    rate = [
        ("received", _rates((at, row.received or 0) for at, row in rows)),
        ("sent", _rates((at, row.sent or 0) for at, row in rows)),
    ]
    unknown = any(row.received is None for _, row in rows)
    return [
        _plot(
            "Processors",
            "busy",
            [("used", _rates((at, row.cpu_seconds) for at, row in rows))],
            _number,
        ),
        _plot(
            "Memory",
            "resident",
            [("used", [(at, row.memory) for at, row in rows])],
            _size,
            memory_limit,
        ),
        _plot("Disk", "in the workspace", [("used", [(at, row.disk) for at, row in rows])], _size),
        _plot(
            "Processes", "alive", [("alive", [(at, row.processes) for at, row in rows])], _number
        ),
        *([] if unknown else [_plot("Network", "per second", rate, _size)]),
    ]


def moments_plot(title: str, unit: str, points: Sequence[Point], text: Text) -> Plot:
    """A plot of what happened at moments.

    Args:
        title: what it is.
        unit: what the values are.
        points: seconds since 1970, in order, and values.
        text: writes a value.
    """
    begin = points[0][0]
    moved = [(at - begin, value) for at, value in points]
    return _plot(title, unit, [("took", moved)], text, when=lambda at: _day(begin + at))


def nice_top(value: float, *, binary: bool = False) -> float:
    """A round number that is not below a value.

    >>> nice_top(7.3), nice_top(0.12), nice_top(1500, binary=True)
    (10.0, 0.2, 2048.0)
    """
    if binary:
        value = max(value, 1024.0)
        unit = 1024.0 ** max(int(math.log(value, 1024)), 0)
        power = 2.0 ** math.ceil(math.log2(max(value / unit, 1)))
        return unit * power
    if value <= 0:
        return 1.0
    size = 10.0 ** math.floor(math.log10(value))
    return next(round(step * size, 12) for step in _STEPS if step * size >= value * 0.999999)


def _plot(
    title: str,
    unit: str,
    curves: Sequence[tuple[str, Sequence[Point]]],
    text: Text,
    limit: float = 0,
    when: Text = duration_text,
) -> Plot:
    highest = max((value for _, points in curves for _, value in points), default=0.0)
    shows_limit = 0 < limit <= highest * 4
    top = nice_top(max(highest, limit if shows_limit else 0), binary=text is _size)
    end = max((points[-1][0] for _, points in curves), default=0.0) or 1.0

    def height(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top), 1)

    def place(at: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * at / end, 1)

    return Plot(
        title=title,
        unit=unit,
        curves=tuple(
            Curve(
                name=name,
                points=" ".join(f"{place(at)},{height(value)}" for at, value in _thinned(points)),
                peak=text(max(value for _, value in points)),
                last=text(points[-1][1]),
            )
            for name, points in curves
        ),
        ticks=tuple(
            (height(top * n / (_TICKS - 1)), text(top * n / (_TICKS - 1))) for n in range(_TICKS)
        ),
        times=tuple((place(end * n / 2), when(end * n / 2)) for n in range(3)),
        limit=(height(limit), text(limit)) if shows_limit else None,
    )


def _rates(points: Iterable[Point]) -> list[Point]:
    """What grew per second, from sums."""
    rows = list(points)
    return [
        (at, max(value - before, 0) / max(at - since, 0.001))
        for (since, before), (at, value) in itertools.pairwise(rows)
    ]


def _thinned(points: Sequence[Point]) -> list[Point]:
    """The highest of neighbours, so that no peak is lost."""
    share = math.ceil(len(points) / _MOST_POINTS)
    return [
        max(points[start : start + share], key=lambda point: point[1])
        for start in range(0, len(points), share)
    ]


def _day(moment: float) -> str:
    return time.strftime("%m-%d %H:%M", time.gmtime(moment))


def _size(value: float) -> str:
    return size_text(round(value))


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
