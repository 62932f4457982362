"""What happened, as lines for people: events in `why`, on pages and in webhooks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from lapstrake.farm.model import states
from lapstrake.farm.tables.rows import GroupRow, TaskRow
from lapstrake.farm.values.groups import GroupState
from lapstrake.farm.values.tasks import TaskState
from lapstrake.formats.amounts import count_text


def moved(row: TaskRow, reason: str) -> str:
    """A task has come into its state.

    Args:
        row: as it stands now.
        reason: why, where that is not clear by itself.
    """
    state = TaskState(row.state)
    files = count_text(len(row.outputs), "file")
    text = {
        TaskState.NEW: f"made by {row.owner or 'nobody'}",
        TaskState.WAITING: f"waits for {_names(row.needs)}" if row.needs else "waits",
        TaskState.QUEUED: f"queued for {row.queue}",
        TaskState.FETCHING: f"worker {row.worker} has claimed it (attempt {row.attempt})",
        TaskState.BUILDING: f"worker {row.worker} builds it",
        TaskState.PUBLISHING: f"built; the server publishes {files}",
        TaskState.SUCCESS: f"ended well with {files}",
        TaskState.FAILED: "failed",
        TaskState.ERROR: "given up",
        TaskState.CANCELLED: "cancelled",
        TaskState.SKIPPED: "skipped",
    }[state]
    return f"{text}: {reason}" if reason and state not in states.RUNNING else text


def group(row: GroupRow, members: Iterable[TaskRow]) -> str:
    """A group has ended."""
    counted = Counter(member.state for member in members)
    how = ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))
    verb = {GroupState.SUCCESS: "ended well", GroupState.CANCELLED: "was cancelled"}
    name = f"{row.name} " if row.name else ""
    return f"the group {name}{verb.get(GroupState(row.state), 'failed')}: {how}"


_MOST = 5


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more
