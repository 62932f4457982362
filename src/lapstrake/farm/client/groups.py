"""Groups of tasks, as a client has them."""

from __future__ import annotations

from collections.abc import Callable

from lapstrake.farm.client.http import Connection
from lapstrake.farm.client.waiting import wait_until
from lapstrake.farm.values.groups import Group, GroupSpec, GroupState
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import Task

_GROUPS = "/api/v1/groups"


class Groups:
    """The groups of a farm; every method raises what `Connection.call` raises."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def submit(self, spec: GroupSpec) -> Group:
        """Have a group built, each member once what it needs is published.

        Raises:
            Invalid: members need each other in a cycle, or what is no member.
        """
        return self._connection.send(Group, "POST", _GROUPS, spec)

    def get(self, group: int) -> Group:
        """One group with its members."""
        return self._connection.get(Group, f"{_GROUPS}/{group}")

    def page(self, *, after: str | None = None, limit: int = 50) -> Page[Group]:
        """Some groups, newest first."""
        return self._connection.get(Page[Group], _GROUPS, after=after, limit=limit)

    def tasks(self, group: int) -> tuple[Task, ...]:
        """The members' tasks."""
        return tuple(self._connection.pages(Task, f"{_GROUPS}/{group}/tasks"))

    def cancel(self, group: int) -> Group:
        """Stop all of it."""
        return self._connection.send(Group, "POST", f"{_GROUPS}/{group}/cancel", {})

    def resume(self, group: int) -> Group:
        """Build again what failed, was cancelled or skipped."""
        return self._connection.send(Group, "POST", f"{_GROUPS}/{group}/resume", {})

    def wait(
        self,
        group: int,
        *,
        seconds: float | None = None,
        on_change: Callable[[Group], None] = lambda _group: None,
    ) -> Group:
        """Wait until a group has ended.

        Args:
            group: which.
            seconds: give up waiting after so many; the group goes on.
            on_change: told whenever a member stands otherwise, and at first.

        Raises:
            TimeoutError: it has not ended in that time.
        """
        return wait_until(
            lambda: self.get(group),
            lambda seen: seen.state is not GroupState.RUNNING,
            what=f"group {group}",
            seconds=seconds,
            on_change=on_change,
            differs=lambda before, seen: before != seen,
        )
