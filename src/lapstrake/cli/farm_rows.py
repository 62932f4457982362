"""How tasks and groups look in a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from lapstrake.cli.output import Style, paint, printable

if TYPE_CHECKING:
    from lapstrake.farm.values.tasks import Task, TaskState

TASK_HEADER = ("TASK", "NAME", "BRANCH", "ARCH", "STATE", "AGE", "TOOK", "WORKER, WHY")

_STYLES = {
    "success": Style.GREEN,
    "failed": Style.RED,
    "error": Style.RED,
    "fetching": Style.CYAN,
    "building": Style.CYAN,
    "publishing": Style.CYAN,
    "cancelled": Style.YELLOW,
    "skipped": Style.YELLOW,
}


def task_row(task: Task) -> tuple[str, ...]:
    """One line of a list of tasks; see `TASK_HEADER`."""
    from lapstrake.formats.amounts import age_text

    spec = task.spec
    arch = f"{spec.arch}→{spec.target}" if spec.target else spec.arch
    name = printable(task_name(task))
    state = str(task.state)
    return (
        str(task.id), name, spec.branch, arch, state, age_text(task.created).removesuffix(" ago"),
        took_text(task), _where_and_why(task),
    )  # fmt: skip


def _where_and_why(task: Task) -> str:
    worker, reason = task.worker, printable(task.reason)
    return reason if worker in reason else f"{worker}: {reason}" if reason else worker


def task_name(task: Task) -> str:
    """What people call a task."""
    name = task.spec.name or task.spec.source or "-"
    return f"{name} {task.version}" if task.version else name


def took_text(task: Task) -> str:
    """How long it was worked on, so far if it still is."""
    from lapstrake.formats.amounts import duration_text

    if not task.started:
        return ""
    return duration_text((task.finished or time.time()) - task.started)


def state_text(state: TaskState) -> str:
    """A state for stdout, coloured on a terminal."""
    style = _STYLES.get(state)
    return paint(str(state), *([style] if style else []), stream=sys.stdout)
