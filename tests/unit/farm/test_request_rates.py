"""How many requests somebody may send in a minute."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.access.rates import Rates
from lapstrake.farm.problems import TooMany


class Clock:
    """Seconds that the test lets go by."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def let_in(rates: Rates, a_minute: int, who: str = "ada") -> bool:
    try:
        rates.count(who, a_minute)
    except TooMany:
        return False
    return True


@given(
    a_minute=st.integers(1, 20),
    pauses=st.lists(st.floats(0, 90), min_size=1, max_size=120),
)
def test_no_minute_has_many_more_and_the_wait_that_is_told_is_enough(
    a_minute: int, pauses: list[float]
) -> None:
    clock = Clock()
    rates, taken = Rates(clock), list[float]()
    for pause in pauses:
        clock.now += pause
        try:
            rates.count("ada", a_minute)
        except TooMany as refused:
            wait = refused.fields["retry_after"]
            assert isinstance(wait, int)
            assert 1 <= wait <= 121
            clock.now += wait
            rates.count("ada", a_minute)
        taken.append(clock.now)
    for start in taken:  # two minutes of the clock at most are in any sixty seconds
        assert sum(start <= moment < start + 60 for moment in taken) <= 2 * a_minute
    minutes = [int(moment // 60) for moment in taken]
    assert max(minutes.count(minute) for minute in minutes) <= a_minute


def test_each_is_counted_alone_and_a_lowered_bound_holds_at_once() -> None:
    clock = Clock()
    rates = Rates(clock)
    assert [let_in(rates, 2) for _ in range(3)] == [True, True, False]
    assert let_in(rates, 2, "grace")
    assert let_in(rates, 3)
    assert not let_in(rates, 1)
    with pytest.raises(TooMany, match="more than 1 requests") as refused:
        rates.count("ada", 1)
    clock.now += float(str(refused.value.fields["retry_after"]))
    assert let_in(rates, 1)


def test_those_who_have_left_are_forgotten() -> None:
    clock = Clock()
    rates = Rates(clock)
    for number in range(10_000):
        rates.count(f"passer {number}", 1)
    clock.now = 150.0
    for who in ("ada", "grace"):
        rates.count(who, 1)
    assert set(rates._counts) == {"ada", "grace"}
