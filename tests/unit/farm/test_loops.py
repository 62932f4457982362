"""How long the server's loops rest between two times."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lapstrake.farm.problems import Unavailable
from lapstrake.farm.serving.loops import Loop, Loops


def rests(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], seconds: float) -> list[Any]:
    """The rests of a loop, in seconds, until it was done or tried four times."""
    loops = Loops([Loop(name="one", seconds=seconds, work=work)])
    asked: list[Any] = []

    def wait(pause: float | None = None) -> bool:
        asked.append(pause)
        return len(asked) > 4

    monkeypatch.setattr(loops._stopping, "wait", wait)
    loops.start()
    loops.stop(10)
    return asked


def test_what_is_done_each_hour_is_done_soon_and_then_each_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert rests(monkeypatch, lambda: None, 3600.0) == [60.0, 3600.0, 3600.0, 3600.0, 3600.0]


def test_what_fails_rests_longer_each_time_and_a_minute_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise Unavailable("the database is away")

    assert rests(monkeypatch, fail, 2.0) == [2.0, 4.0, 8.0, 16.0, 16.0]
    assert rests(monkeypatch, fail, 3600.0) == [60.0] * 5
