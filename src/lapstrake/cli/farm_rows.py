"""How tasks and groups look in a terminal."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from lapstrake.cli.output import Style, paint, printable

if TYPE_CHECKING:
    from lapstrake.farm.values.tasks import Task, TaskState

TASK_HEADER = ("TASK", "NAME", "BRANCH", "ARCH", "STATE", "AGE", "TOOK", "WHY")

_LONGEST_NAME = 22  # characters: a row then fits 80 columns but for the reason

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
    name = _clipped(printable(task_name(task)))
    state = str(task.state)
    return (
        str(task.id), name, spec.branch, arch, state, age_text(task.created).removesuffix(" ago"),
        took_text(task), printable(task.reason),
    )  # fmt: skip


def _clipped(name: str) -> str:
    """A name that leaves room for the rest of the row on a terminal; elsewhere all of it."""
    too_long = sys.stdout.isatty() and len(name) > _LONGEST_NAME
    return f"{name[: _LONGEST_NAME - 1]}…" if too_long else name


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
