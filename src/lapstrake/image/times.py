"""Times of images: seconds since 1970, read from people and written as images have them."""

from __future__ import annotations

from datetime import UTC, datetime

from lapstrake.errors import UsageError

LATEST = 253_402_300_799
"""The last second of the year 9999: later ones RFC 3339 cannot write."""


def rfc3339(seconds: int) -> str:
    """A time as images have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_seconds(text: str, *, origin: str) -> int:
    """Read seconds since 1970.

    Args:
        text: decimal digits.
        origin: who says so, for the message.

    Raises:
        UsageError: they are none, or too many.
    """
    if not text.isdecimal() or int(text[:20]) > LATEST:
        raise UsageError(f"{origin}: {text!r} is no time", resolution="Use seconds since 1970.")
    return int(text)


def read_time(text: str, *, origin: str) -> int:
    """Read seconds since 1970, or a time as ISO 8601 writes it; without a zone it is UTC.

    Raises:
        UsageError: it is neither, or before 1970.
    """
    if text.isdecimal():
        return read_seconds(text, origin=origin)
    try:
        moment = datetime.fromisoformat(text)
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        seconds = -1
    if not 0 <= seconds <= LATEST:
        raise UsageError(
            f"{origin}: {text!r} is no time since 1970",
            resolution="Use 2024-05-01T12:00:00Z, or seconds.",
        )
    return seconds
