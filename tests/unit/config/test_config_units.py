"""Sizes and durations."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.config.units import format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("12", 12),
        ("12B", 12),
        ("1k", 1024),
        ("1K", 1024),
        ("4GiB", 4 * 1024**3),
        ("4 GiB", 4 * 1024**3),
        ("1.5M", 1_572_864),
        ("500MB", 500_000_000),
        ("2kB", 2000),
        ("1T", 1024**4),
        ("1PiB", 1024**5),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "GiB", "-1", "1e3", "4 apples", "4GB4", "1.2B", "0.3", "٣", "9999999P"]
)
def test_wrong_sizes(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (size|whole number)"):
        parse_size(text)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2**60))
def test_sizes_round_trip(size: int) -> None:
    assert parse_size(format_size(size)) == size


@settings(deadline=None)
@given(st.integers(min_value=1, max_value=999), st.sampled_from("KMGTP"))
def test_whole_units_stay_readable(count: int, prefix: str) -> None:
    assert format_size(parse_size(f"{count}{prefix}iB")) == f"{count}{prefix}iB"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("2h", 7200), ("1h30m", 5400), ("1 d 2 min", 86520), ("1.5h", 5400)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", " ", "h", "-1s", "2 hours ago", "1h30", "30 1h", "1x", "1e3", "9" * 99]
)
def test_wrong_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**9) | st.floats(min_value=0.001, max_value=1e6))
def test_durations_round_trip(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0s"), (5400, "1h30m"), (604800, "1w"), (0.5, "0.5s"), (61, "1m1s")]
)
def test_shown_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
