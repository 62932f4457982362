"""Sizes, times and curves as people read them."""

from __future__ import annotations

import time
from collections.abc import Sequence

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024
_AGES = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_BARS = "▁▂▃▄▅▆▇█"


def size_text(size: int) -> str:
    """Bytes, rounded.

    >>> size_text(1536), size_text(10)
    ('1.5 KiB', '10 bytes')
    """
    number, unit = float(size), 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number /= _STEP
        unit += 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} bytes"


def count_text(number: int, what: str) -> str:
    """A number of things.

    >>> count_text(1, "file"), count_text(2, "file")
    ('1 file', '2 files')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def duration_text(seconds: float) -> str:
    """Seconds as their two largest units.

    >>> duration_text(3700), duration_text(4.25), duration_text(90_000)
    ('1 h 1 min', '4.2 s', '1 d 1 h')
    """
    if seconds < 10:
        return f"{max(seconds, 0):.1f} s"
    rest = int(seconds)
    parts = []
    for length, unit in _AGES:
        count, rest = divmod(rest, length)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def age_text(moment: float) -> str:
    """How long ago a moment was, its largest unit alone."""
    words = duration_text(max(time.time() - moment, 0)).split()
    return f"{words[0].split('.')[0]} {words[1]} ago"


def time_text(moment: float) -> str:
    """A moment in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def sparkline(values: Sequence[float], *, width: int = 40) -> str:
    """A curve of one row: each bar is the largest of its share of the values.

    >>> sparkline([0, 1, 2, 3, 4, 5, 6, 7])
    '▁▂▃▄▅▆▇█'
    """
    if not values:
        return ""
    columns = min(width, len(values))
    shares = [
        values[column * len(values) // columns : (column + 1) * len(values) // columns]
        for column in range(columns)
    ]
    most = max(values) or 1
    return "".join(_BARS[round(max(share) / most * (len(_BARS) - 1))] for share in shares)
