"""Groups of tasks, as a client has them."""

from __future__ import annotations

import time
from collections.abc import Callable

from lapstrake.farm.client.http import Connection
from lapstrake.farm.values.groups import Group, GroupSpec, GroupState
from lapstrake.farm.values.lists import Page
from lapstrake.farm.values.tasks import Task

_GROUPS = "/api/v1/groups"
_FIRST_LOOK, _LONGEST_LOOK = 0.3, 3.0


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
        until = None if seconds is None else time.monotonic() + seconds
        pause, before = _FIRST_LOOK, None
        while True:
            seen = self.get(group)
            if seen != before:
                on_change(seen)
                pause = _FIRST_LOOK
            if seen.state is not GroupState.RUNNING:
                return seen
            if until is not None and time.monotonic() + pause > until:
                raise TimeoutError(f"group {group} has not ended after {seconds} s")
            before = seen
            time.sleep(pause)
            pause = min(pause * 1.3, _LONGEST_LOOK)
