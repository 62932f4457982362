"""A group of bundles: which needs which, in what order, and what is left after a failure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from lapstrake.bundle.base import Bundle
from lapstrake.errors import GroupError

_NAME = re.compile(r"\s*([a-z0-9][a-z0-9.+-]*)")


class MemberState(StrEnum):
    """How a member of a group stands."""

    WAITING = "waiting"
    BUILDING = "building"
    BUILT = "built"
    KEPT = "kept"  # built before, and nothing of it changed since
    FAILED = "failed"
    SKIPPED = "skipped"  # something it needs failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One bundle of a group.

    Attributes:
        name: how it was asked for; unique in the group.
        needs: the members that are built before it.
        state: how it stands.
        reason: why it stands so: what failed, or what it waits for.
        seconds: how long its build took.
        record: its build record's id.
    """

    name: str
    needs: frozenset[str]
    state: MemberState = MemberState.WAITING
    reason: str = ""
    seconds: float = 0.0
    record: str = ""


def relate(bundles: Mapping[str, Bundle]) -> dict[str, frozenset[str]]:
    """Find out which members a member needs: those whose packages it builds with.

    Installing such a package also installs what that needs to run, so the members that make those
    come first too.

    Args:
        bundles: by the members' names.

    Returns:
        for each name, the names it needs.
    """
    makers = {package: name for name, bundle in bundles.items() for package in bundle.provides}
    running = {
        name: {makers[package] for package in bundle.runtime_depends if package in makers}
        for name, bundle in bundles.items()
    }
    needs = {}
    for name, bundle in bundles.items():
        direct = {makers[word] for word in _names(bundle.build_depends.depends) if word in makers}
        needs[name] = frozenset(_closure(direct - {name}, running) - {name})
    return needs


def order(needs: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """An order in which every member comes after what it needs.

    Raises:
        GroupError: there is a cycle; the brief names its members in order.
    """
    try:
        graph = {name: sorted(needed) for name, needed in needs.items()}  # the same every time
        return tuple(TopologicalSorter(graph).static_order())
    except CycleError as cycle:
        members = " → ".join(reversed(cycle.args[1]))
        raise GroupError(
            f"these bundles need each other to be built: {members}",
            resolution="Break the cycle: build one of them without the other first.",
        ) from None


class Schedule:
    """What of a group can start now; told of every end.

    Args:
        needs: for each member, what it needs.
    """

    def __init__(self, needs: Mapping[str, frozenset[str]]) -> None:
        self.members = {name: Member(name=name, needs=needs[name]) for name in order(needs)}

    def ready(self) -> tuple[str, ...]:
        """The members that wait for nothing any more, in order."""
        return tuple(
            member.name
            for member in self.members.values()
            if member.state is MemberState.WAITING
            and all(self._is_there(name) for name in member.needs)
        )

    def mark(self, name: str, state: MemberState, **facts: str | float) -> None:
        """Note how a member stands; a failure skips all that need it, directly or not."""
        self.members[name] = replace(self.members[name], state=state, **facts)  # type: ignore[arg-type]
        if state is MemberState.FAILED:
            self._skip(name)

    def stop(self) -> None:
        """Skip everything that has not begun."""
        for member in self.members.values():
            if member.state is MemberState.WAITING:
                self.mark(member.name, MemberState.SKIPPED, reason="the group was stopped")

    def stands_on_kept(self, name: str) -> bool:
        """Whether all that a member needs is left as it was built before."""
        needs = self.members[name].needs
        return all(self.members[other].state is MemberState.KEPT for other in needs)

    @property
    def failed(self) -> tuple[Member, ...]:
        """The members that failed."""
        return tuple(m for m in self.members.values() if m.state is MemberState.FAILED)

    def _is_there(self, name: str) -> bool:
        return self.members[name].state in {MemberState.BUILT, MemberState.KEPT}

    def _skip(self, failed: str) -> None:
        for member in list(self.members.values()):
            if failed in member.needs and member.state is MemberState.WAITING:
                self.mark(member.name, MemberState.SKIPPED, reason=f"{failed} failed")
                self._skip(member.name)


def _names(relations: Sequence[str]) -> Iterable[str]:
    """The package names in relations: ``a (>= 1) | b`` has two."""
    for relation in relations:
        for alternative in relation.split("|"):
            match = _NAME.match(alternative)
            if match:
                yield match.group(1)


def _closure(start: set[str], edges: Mapping[str, set[str]]) -> set[str]:
    """All that can be reached from `start`."""
    found, pending = set(start), list(start)
    while pending:
        for name in edges[pending.pop()] - found:
            found.add(name)
            pending.append(name)
    return found
