"""The rules of groups: who may start, who is skipped, when a group has ended. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from lapstrake.build.group import order
from lapstrake.errors import GroupError
from lapstrake.farm.model.states import ENDED, NOT_BEGUN, RETRIED
from lapstrake.farm.problems import Invalid
from lapstrake.farm.values.groups import GroupState, Member, MemberSpec
from lapstrake.farm.values.tasks import TaskState

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """What follows from how a group's members stand.

    Attributes:
        start: members whose needs are all published.
        skip: members that cannot be built any more, each with the reason.
        state: the group's, once both are done.
    """

    start: tuple[str, ...] = ()
    skip: Mapping[str, str] = field(default_factory=dict)
    state: GroupState = GroupState.RUNNING


def check_names(members: Sequence[MemberSpec]) -> None:
    """Refuse members that cannot be told apart.

    Raises:
        Invalid: there are none, one has no name, or two have the same.
    """
    if not members:
        raise Invalid("the group has no members")
    counted = Counter(member.name for member in members)
    for name, times in counted.items():
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            raise Invalid(f"{name[:60]!r} is no member's name")
        if times > 1:
            raise Invalid(f"{times} members are called {name}")


def check_needs(needs: Mapping[str, Iterable[str]]) -> None:
    """Refuse needs that cannot be met.

    Args:
        needs: for each member's name, those it needs.

    Raises:
        Invalid: a member needs one that there is not, or a cycle (its members are named).
    """
    for name, wanted in needs.items():
        strangers = sorted(set(wanted) - needs.keys())
        if strangers:
            raise Invalid(
                f"{name} needs {', '.join(strangers)}, not in the group",
                resolution="Add it to the group; what the branch has already needs no mention.",
            )
    try:
        order(needs)
    except GroupError as error:
        raise Invalid(error.brief, resolution=error.resolution) from None


def advance(members: Iterable[Member], *, stop: bool, cancelled: bool = False) -> Advance:
    """What can start, what is skipped, how the group stands.

    Args:
        members: as they stand.
        stop: start nothing more after the first failure.
        cancelled: the group was cancelled.
    """
    states = {member.name: member for member in members}
    skip = _skipped(states, stop=stop)
    start = tuple(
        member.name
        for member in states.values()
        if member.state is TaskState.WAITING
        and member.name not in skip
        and all(states[name].state is TaskState.SUCCESS for name in member.needs)
    )
    ends = {
        TaskState.SKIPPED if member.name in skip else member.state for member in states.values()
    }
    return Advance(start=start, skip=skip, state=_state(ends, cancelled=cancelled))


def revived(members: Iterable[Member], name: str) -> tuple[str, ...]:
    """The members that were skipped because of one that is tried again."""
    skipped = {m.name: m for m in members if m.state is TaskState.SKIPPED}
    found: dict[str, None] = {}
    pending = [name]
    while pending:
        above = pending.pop()
        for member in skipped.values():
            if above in member.needs and member.name not in found:
                found[member.name] = None
                pending.append(member.name)
    return tuple(found)


def _skipped(states: Mapping[str, Member], *, stop: bool) -> dict[str, str]:
    failed = [m.name for m in states.values() if m.state in RETRIED]
    if not failed:
        return {}
    if stop:
        first = next((n for n in failed if states[n].state is not TaskState.SKIPPED), failed[0])
        reason = f"{first} {_word(states[first].state)}, and the group stops at the first failure"
        return {m.name: reason for m in states.values() if m.state in NOT_BEGUN}
    needed_by: dict[str, list[str]] = {}
    for member in states.values():
        for name in member.needs:
            needed_by.setdefault(name, []).append(member.name)
    skip: dict[str, str] = {}
    pending = list(failed)
    while pending:
        name = pending.pop()
        for other in needed_by.get(name, ()):
            if states[other].state is TaskState.WAITING and other not in skip:
                state = TaskState.SKIPPED if name in skip else states[name].state
                skip[other] = f"it needs {name}, which {_word(state)}"
                pending.append(other)
    return skip


def _state(states: set[TaskState], *, cancelled: bool) -> GroupState:
    if states - ENDED:
        return GroupState.RUNNING
    if states == {TaskState.SUCCESS}:
        return GroupState.SUCCESS
    return GroupState.CANCELLED if cancelled else GroupState.FAILED


def _word(state: TaskState) -> str:
    return {TaskState.FAILED: "failed", TaskState.ERROR: "was given up"}.get(state, f"was {state}")
