"""Times as people and environments give them; the machine's own zone changes nothing."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.errors import UsageError
from lapstrake.image.times import LATEST, read_seconds, read_time, rfc3339


@given(st.integers(0, LATEST))
def test_what_is_written_is_read(seconds: int) -> None:
    assert read_time(rfc3339(seconds), origin="--created") == seconds
    assert read_time(str(seconds), origin="--created") == seconds


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "America/New_York"])
def test_without_a_zone_it_is_utc(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert read_time("2024-05-01T00:00:00", origin="--created") == 1_714_521_600
        assert read_time("2024-05-01T02:00:00+02:00", origin="--created") == 1_714_521_600
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "text",
    ["soon", "", "-1", "1.5", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00", str(LATEST + 1),
     "99999999999999", "9" * 5000, "9999-12-31T23:59:59-12:00"],
)  # fmt: skip
def test_what_is_no_time_is_told(text: str) -> None:
    for read in (read_time, read_seconds):
        with pytest.raises(UsageError, match="--created"):
            read(text, origin="--created")
