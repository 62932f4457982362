"""Groups: who needs whom, in what order, and what happens after a failure."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lapstrake.build.group import MemberState, Schedule, order, relate
from lapstrake.build.group_items import expand_items
from lapstrake.bundle.base import BuildDependencies, Bundle, BundleFormat
from lapstrake.errors import BundleError, GroupError

Needs = dict[str, frozenset[str]]


def bundle(
    name: str, *build: str, run: tuple[str, ...] = (), provides: tuple[str, ...] = ()
) -> Bundle:
    return Bundle(
        name=name,
        version="1",
        upstream_version="1",
        format=BundleFormat.NATIVE,
        path=Path("/", name),
        build_depends=BuildDependencies(depends=build),
        runtime_depends=run,
        provides=provides or (name,),
    )


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    """Members that need only earlier ones, then given in any order: there is no cycle."""
    names = [f"m{number}" for number in range(draw(st.integers(1, 12)))]
    needs = {
        name: frozenset(draw(st.sets(st.sampled_from(names[:index])))) if index else frozenset()
        for index, name in enumerate(names)
    }
    return {name: needs[name] for name in draw(st.permutations(names))}


def closure(needs: Needs, start: set[str]) -> set[str]:
    """All that need one of `start`, directly or not, and these."""
    found = set(start)
    while more := {name for name, needed in needs.items() if needed & found} - found:
        found |= more
    return found


@given(graphs())
def test_everything_comes_after_what_it_needs(needs: Needs) -> None:
    found = order(needs)
    assert sorted(found) == sorted(needs)
    for name, needed in needs.items():
        assert all(found.index(other) < found.index(name) for other in needed)
    assert order(needs) == found


@given(graphs(), st.data())
def test_a_schedule_runs_out_whatever_fails(needs: Needs, data: st.DataObject) -> None:
    """All is built but what failed and what needs that; never anything before what it needs."""
    doomed = data.draw(st.sets(st.sampled_from(sorted(needs))))
    schedule = Schedule(needs)
    built: set[str] = set()
    failed: set[str] = set()
    while ready := schedule.ready():
        name = data.draw(st.sampled_from(ready))
        assert needs[name] <= built
        schedule.mark(name, MemberState.BUILDING)
        assert name not in schedule.ready()
        if name in doomed:
            failed.add(name)
            schedule.mark(name, MemberState.FAILED, reason="it had to")
        else:
            built.add(name)
            schedule.mark(name, MemberState.BUILT)
    lost = closure(needs, failed)
    assert built == set(needs) - lost
    assert {member.name for member in schedule.failed} == failed
    states = {name: member.state for name, member in schedule.members.items()}
    for name in lost - failed:
        assert states[name] is MemberState.SKIPPED
        assert "failed" in schedule.members[name].reason


@given(graphs())
def test_stopping_skips_what_waits(needs: Needs) -> None:
    schedule = Schedule(needs)
    first = schedule.ready()[0]
    schedule.mark(first, MemberState.BUILDING)
    schedule.stop()
    assert schedule.ready() == ()
    states = {member.state for member in schedule.members.values() if member.name != first}
    assert states <= {MemberState.SKIPPED}
    assert schedule.members[first].state is MemberState.BUILDING


@given(st.integers(1, 6))
def test_a_cycle_is_named_in_order(length: int) -> None:
    names = [f"m{number}" for number in range(length)]
    needs = {name: frozenset({names[(i + 1) % length]}) for i, name in enumerate(names)}
    with pytest.raises(GroupError) as caught:
        order(needs)
    walk = caught.value.brief.rpartition(": ")[2].split(" → ")
    assert walk[0] == walk[-1]
    assert set(walk) == set(names)
    assert all(second in needs[first] for first, second in itertools.pairwise(walk))


def test_relations_are_read_from_build_dependencies() -> None:
    bundles = {
        "one": bundle("one", provides=("libone-dev", "one-bin")),
        "two": bundle("two", "libone-dev (>= 1) | other", "debhelper"),
        "three": bundle("three", "other | one-bin [amd64]", run=("unknown",)),
        "self": bundle("self", "self"),
    }
    assert relate(bundles) == {
        "one": frozenset(),
        "two": frozenset({"one"}),
        "three": frozenset({"one"}),
        "self": frozenset(),
    }


def test_what_a_build_dependency_needs_to_run_is_built_before() -> None:
    bundles = {
        "app": bundle("app", "lib"),
        "lib": bundle("lib", run=("base",)),
        "base": bundle("base", run=("lib",)),
    }
    found = relate(bundles)
    assert found["app"] == {"lib", "base"}
    assert found["lib"] == found["base"] == frozenset(), "run-time needs alone order nothing"


def test_kept_members_stand_on_kept_ones() -> None:
    schedule = Schedule({"top": frozenset({"low"}), "low": frozenset()})
    assert schedule.stands_on_kept("low")
    assert not schedule.stands_on_kept("top")
    schedule.mark("low", MemberState.KEPT)
    assert schedule.stands_on_kept("top")
    assert schedule.ready() == ("top",)


def test_items(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for address in ("app/one", "app/two"):
        (tree / address).mkdir(parents=True)
        (tree / address / "spec").write_text("VER=1\n")
    (tree / "groups").mkdir()
    (tree / "groups/all").write_text("one\ntwo # comment\n")
    cwd = tmp_path / "cwd"
    (cwd / "lists").mkdir(parents=True)
    (cwd / "lists/here").mkdir()
    (cwd / "lists/mine").write_text("# nothing\n\nhere\ngroups/all\nplain\nother\n")
    (cwd / "lists/other").write_text("apt:hello\nplain\n")
    (cwd / "x.dsc").touch()
    items = ["lists/mine", "x.dsc", "plain"]
    assert expand_items(items, trees=[tree], cwd=cwd) == (
        str(cwd / "lists/here"), "app/one", "app/two", "plain", "apt:hello", "x.dsc",
    )  # fmt: skip


def test_lists_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "self").write_text("./self\n")
    with pytest.raises(BundleError, match="self > self"):
        expand_items(["self"], trees=[], cwd=tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BundleError, match="no list of bundles"):
        expand_items(["binary"], trees=[], cwd=tmp_path)
