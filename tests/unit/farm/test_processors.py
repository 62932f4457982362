"""Processors of a worker are promised once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.model.processors import granted


@given(cores=st.integers(1, 64), wanted=st.lists(st.integers(0, 64), min_size=1, max_size=8))
def test_processors_are_promised_once_and_nobody_is_left_without(
    cores: int, wanted: list[int]
) -> None:
    slots = len(wanted)
    given_to: list[int] = []
    for each in wanted:
        given_to.append(granted(each, cores=cores, slots=slots, others=given_to))
    assert all(got >= 0 for got in given_to)
    for each, got in zip(wanted, given_to, strict=True):
        assert got <= (each or cores)
    if not any(wanted):
        assert not any(given_to)  # as ever: no plan, no promises
    # Whoever finds nothing left still has one, and unplanned ones count with their share.
    share = max(1, cores // slots)
    assert sum(got or share for got in given_to) <= cores + slots


def test_a_plan_of_all_processors_leaves_one_to_whoever_comes_besides() -> None:
    assert granted(16, cores=16, slots=8, others=[]) == 16
    assert granted(0, cores=16, slots=8, others=[16]) == 1
    assert granted(16, cores=16, slots=8, others=[0, 0]) == 12
    assert granted(0, cores=16, slots=8, others=[12]) == 4
    assert granted(0, cores=16, slots=8, others=[0, 0]) == 0
