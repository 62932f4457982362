"""The layout of a group's picture."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from lapstrake.farm.pages.graph import layout
from lapstrake.farm.pages.groups import picture
from lapstrake.farm.values.groups import Group, GroupState, Member
from lapstrake.farm.values.tasks import TaskState


@st.composite
def _graphs(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"n{number}" for number in range(draw(st.integers(0, 14)))]
    return {
        name: draw(st.lists(st.sampled_from(names[:place]), unique=True)) if place else []
        for place, name in enumerate(names)
    }


@given(_graphs())
def test_arrows_go_right_and_boxes_do_not_overlap(graph: dict[str, list[str]]) -> None:
    placed = layout(graph)
    assert set(placed.places) == set(graph)
    for name, needs in graph.items():
        for need in needs:
            assert placed.places[need][0] < placed.places[name][0]
    columns: dict[int, list[float]] = {}
    for column, row in placed.places.values():
        columns.setdefault(column, []).append(row)
    for rows in columns.values():
        ordered = sorted(rows)
        assert all(b - a >= 0.999 for a, b in itertools.pairwise(ordered))
        assert ordered[0] >= 0
        assert ordered[-1] <= placed.rows - 1 + 1e-9
    for arrow in placed.arrows:
        assert [column for column, _ in arrow] == list(range(arrow[0][0], arrow[-1][0] + 1))


@given(_graphs())
def test_each_need_can_be_followed_along_the_arrows(graph: dict[str, list[str]]) -> None:
    placed = layout(graph)
    names = {place: name for name, place in placed.places.items()}
    drawn: dict[str, set[str]] = {name: set() for name in graph}
    for arrow in placed.arrows:
        drawn[names[arrow[-1]]].add(names[arrow[0]])

    def reached(name: str) -> set[str]:
        return drawn[name].union(*(reached(each) for each in drawn[name]))

    for name, needs in graph.items():
        assert set(needs) <= reached(name)
        assert not any(each in reached(other) for each in drawn[name] for other in drawn[name])


def test_arrows_that_need_not_cross_do_not() -> None:
    placed = layout({"a": [], "b": [], "c": ["b"], "d": ["a"]})
    a, b, c, d = (placed.places[name][1] for name in "abcd")
    assert (a < b) == (d < c)


def test_names_that_are_no_members_are_left_out() -> None:
    assert layout({"a": ["elsewhere"]}).arrows == ()


def test_a_group_of_many_has_no_picture() -> None:
    members = tuple(
        Member(name=f"m{number}", task=number, state=TaskState.QUEUED) for number in range(601)
    )
    group = Group(id=1, name="", branch="stable", state=GroupState.RUNNING, members=members)
    assert picture(group) is None
