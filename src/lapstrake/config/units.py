"""Sizes and durations as people write them: ``4GiB``, ``1h30m``."""

from __future__ import annotations

import re

MOST = 2**62
"""No size, duration or count is above this: it must fit the kernel's 64-bit fields."""

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*\Z", re.ASCII)
_PREFIXES = "kmgtp"
_BINARY, _DECIMAL = 1024, 1000
_DURATION_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", re.ASCII)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "min": 60, "s": 1, "": 1}
_SHOWN = ("w", "d", "h", "m", "s")


def parse_size(text: str) -> int:
    """Read a size.

    ``K M G T P`` and ``KiB MiB …`` are powers of 1024, ``kB MB …`` of 1000; a bare number is bytes.

    Returns:
        bytes.

    Raises:
        ValueError: the text is no size, or no whole number of bytes.
    """
    from fractions import Fraction  # slow to import

    found = _SIZE.match(text)
    factor = _size_factor(found.group(2)) if found else None
    if found is None or factor is None:
        raise ValueError(f'{text!r} is not a size such as "4GiB", "500MB" or 1048576')
    size = Fraction(found.group(1)) * factor
    if size.denominator != 1:
        raise ValueError(f"{text!r} is not a whole number of bytes")
    if size > MOST:
        raise ValueError(f"{text!r} is not a size that any machine has")
    return int(size)


def format_size(size: int) -> str:
    """Write bytes so that `parse_size` reads the very same number."""
    for power in range(len(_PREFIXES), 0, -1):
        unit = _BINARY**power
        if size and size % unit == 0:
            return f"{size // unit}{_PREFIXES[power - 1].upper()}iB"
    return str(size)


def parse_duration(text: str) -> float:
    """Read a duration: ``90s``, ``15min``, ``1h30m``, ``2d``, ``1w``; a bare number is seconds.

    Returns:
        seconds.

    Raises:
        ValueError: the text is no duration.
    """
    from fractions import Fraction  # slow to import

    wrong = ValueError(f'{text!r} is not a duration such as "2h", "1h30m" or "90s"')
    total = Fraction(0)
    position = parts = 0
    bare = False
    while position < len(text):
        found = _DURATION_PART.match(text, position)
        if found is None or found.group(2) not in _SECONDS or bare:
            raise wrong
        bare = not found.group(2)
        total += Fraction(found.group(1)) * _SECONDS[found.group(2)]
        position = found.end()
        parts += 1
    if not parts or (bare and parts > 1):
        raise wrong
    if total > MOST:
        raise wrong
    return float(total)


def format_duration(seconds: float) -> str:
    """Write seconds so that `parse_duration` reads the same number."""
    whole = int(seconds)
    if whole != seconds:
        return (
            f"{seconds:f}".rstrip("0") + "s" if float(f"{seconds:f}") == seconds else f"{seconds}s"
        )
    parts = []
    for unit in _SHOWN:
        count, whole = divmod(whole, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def _size_factor(unit: str) -> int | None:
    """Bytes in a unit; ``None`` for an unknown unit."""
    prefix, ending = unit[:1].lower(), unit[1:]
    if prefix in ("", "b") and not ending:
        return 1
    if not prefix or prefix not in _PREFIXES or ending not in ("", "iB", "B"):
        return None
    base = _DECIMAL if ending == "B" else _BINARY
    return int(base ** (_PREFIXES.index(prefix) + 1))
