"""How a task may move from state to state, who holds it in each, and how long it may stay."""

from __future__ import annotations

from lapstrake.farm.problems import WrongState
from lapstrake.farm.values.tasks import TaskState

S = TaskState

_ENDS = frozenset({S.SUCCESS, S.FAILED, S.ERROR, S.CANCELLED, S.SKIPPED})

MOVES: dict[TaskState, frozenset[TaskState]] = {
    S.NEW: frozenset({S.WAITING, S.QUEUED, S.SUCCESS, S.CANCELLED, S.ERROR}),
    S.WAITING: frozenset({S.QUEUED, *_ENDS}),
    S.QUEUED: frozenset({S.FETCHING, S.CANCELLED, S.ERROR, S.SKIPPED}),
    S.FETCHING: frozenset({S.BUILDING, S.QUEUED, S.PUBLISHING, *_ENDS} - {S.SKIPPED}),
    S.BUILDING: frozenset({S.QUEUED, S.PUBLISHING, *_ENDS} - {S.SKIPPED}),
    S.PUBLISHING: frozenset({S.SUCCESS, S.FAILED, S.ERROR}),
    S.SUCCESS: frozenset(),
    S.FAILED: frozenset({S.NEW, S.WAITING}),
    S.ERROR: frozenset({S.NEW, S.WAITING}),
    S.CANCELLED: frozenset({S.NEW, S.WAITING}),
    S.SKIPPED: frozenset({S.NEW, S.WAITING}),
}
"""All legal moves. What ended badly can be tried again, by a user's word; a success is for good."""

ENDED: frozenset[TaskState] = _ENDS
"""Nothing happens by itself any more."""

RUNNING: frozenset[TaskState] = frozenset({S.FETCHING, S.BUILDING})
"""A worker has it."""

NOT_BEGUN: frozenset[TaskState] = frozenset({S.WAITING, S.QUEUED})
"""It has been started, and no worker has it yet."""

WITH_ENGINE: frozenset[TaskState] = frozenset({S.QUEUED, S.FETCHING, S.BUILDING, S.PUBLISHING})
"""It goes on without waiting for another task: others may wait for it and never in a circle."""

RETRIED: frozenset[TaskState] = _ENDS - {S.SUCCESS}
"""What a user may have tried again."""


def check(before: TaskState, after: TaskState) -> None:
    """Refuse a move that is not legal.

    Raises:
        WrongState: with both states in its fields.
    """
    if after not in MOVES[before]:
        raise WrongState(
            f"the task's state is {before}: it cannot {_VERBS.get(after, f'become {after}')}",
            resolution=_advice(before, after),
            fields={"state": before.value, "wanted": after.value},
        )


def _advice(before: TaskState, after: TaskState) -> str:
    if after is S.CANCELLED and before in ENDED:
        return "It has ended already: there is nothing to cancel."
    return _ADVICE.get(before, "Look at the task's state first.")


def holder(state: TaskState, *, worker: str = "", same_as: int | None = None) -> str:
    """Who must act next; empty when nobody must."""
    if state in RUNNING:
        return f"worker {worker}"
    if state is S.WAITING:
        return "group" if same_as is None else f"task {same_as}"
    return {S.NEW: "user", S.QUEUED: "engine", S.PUBLISHING: "server"}.get(state, "")


_VERBS = {
    S.NEW: "be tried again",
    S.WAITING: "be tried again",
    S.QUEUED: "be started",
    S.CANCELLED: "be cancelled",
}
_ADVICE = {
    S.NEW: "Give it a bundle and a branch, then start it.",
    S.PUBLISHING: "Wait until it is published.",
    S.SUCCESS: "Submit a new task; with `fresh` it is built even if nothing changed.",
    S.FAILED: "Retry it.",
    S.ERROR: "Retry it.",
    S.CANCELLED: "Retry it.",
    S.SKIPPED: "Retry it, or resume its group.",
}
